// Paints what a change of a control leads to before the page's run does.  The server is asked for it alone
// (`explorer/ui/ahead.py`), as a rule while the hand is still on its way to the control, and the components that draw
// are given what comes back.  The run's own answer is the same; where it should not be, it counts as soon as the page
// is at rest.
class Ahead {
  static REST = 250; // ms without a run or a hand after which the last run's answer counts
  static PATIENCE = 5000; // the same where no run was seen
  static LOOK = 50; // ms between two looks whether that is so
  static TYPING = 90; // ms without a key after which a typed line is asked for, before it is entered
  static POINTING = 30; // ms on a control after which what it may do next is asked for
  static READY = 12; // answers that are kept for it

  views = new Map(); // what draws, by its name: {data: the last run's, draw, element}
  told = null; // what the last run said of the layer: {ask, layer, seen, controls, offers}
  painted = null; // what is shown ahead of it: {told, identities: by the names of views}
  changes = []; // [control, value] that nobody has answered yet
  displayed = new Map(); // what lists, switches and buttons showed when last looked at
  hands = new Map(); // of elements with dials: whether one holds what the page does not know
  journey = 0; // how often Back or Forward led elsewhere
  ready = new Map(); // what was asked for before it is needed: {promise, answer}, by the query

  // A run's data for one view: drawn, unless something newer is painted that the run has yet to come to.
  receive(name, data, draw, element) {
    const known = this.views.get(name), view = { data, draw, element };
    this.views.set(name, view);
    if (name === "outcome") {
      if (known?.element !== element) this.forget();
      this.told = data.told;
      this.displayed.clear(); // the run will change what they show
      this.listen();
    }
    if (this.painted?.identities[name] === data.identity) this.painted = null;
    if (this.painted && known?.element === element) return;
    element.style.visibility = "";
    view.draw(data);
  }

  // A control has another value now; of a dial also the one before, from which the hand may go on.
  change(control, value, before) {
    if (!this.works) return;
    this.next = Math.abs(value - before) <= 2 ? [control, 2 * value - before] : null;
    // of a dial that is dragged only where it is now is asked for; of the rest each step may leave its trace
    if (typeof value === "number") this.changes = this.changes.filter(([other]) => other !== control);
    this.changes.push([control, value]);
    Object.assign(this, { touched: performance.now(), ran: false });
    this.watch();
    this.ask();
  }

  async ask() {
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.changes.length) {
        const { base, journey, changes: asked } = this, key = this.query(base, asked);
        // no waiting where the answer is there: it is painted before the hand's event has ended
        const early = this.ready.get(key), answer = early?.answer ?? (await (early?.promise ?? this.fetched(key)));
        this.changes = this.changes.filter((change) => !asked.includes(change));
        // a run that came meanwhile knows as much; Back leads elsewhere
        if (answer && journey === this.journey && base.layer === this.base.layer && base.seen === this.base.seen) this.paint(answer);
      }
    } finally {
      this.asking = false;
    }
    if (this.next) this.prepare(...this.next);
  }

  get works() {
    return Boolean(this.told?.ask) && !this.deaf && this.views.get("outcome").element.isConnected;
  }

  get base() {
    return this.painted?.told ?? this.told;
  }

  query({ layer, seen }, changes) {
    return String(new URLSearchParams({ layer, seen, changes: JSON.stringify(changes) }));
  }

  // null where there is none: the page's run tells why.
  async fetched(key) {
    try {
      const response = await fetch(`${this.told.ask}?${key}`, { signal: AbortSignal.timeout(Ahead.PATIENCE) });
      const answer = response.ok ? await response.json() : null;
      if (!response.ok) this.deaf = true; // something between us and the server lets only Streamlit's own pass
      return answer?.refused ? null : answer;
    } catch {
      return null;
    }
  }

  // To be at hand when it is needed.
  prepare(control, value) {
    if (!this.works || this.changes.length) return;
    const key = this.query(this.base, [[control, value]]);
    if (this.ready.has(key)) return;
    const early = { promise: this.fetched(key) };
    this.ready.set(key, early);
    early.promise.then((answer) => (early.answer = answer));
    while (this.ready.size > Ahead.READY) this.ready.delete(this.ready.keys().next().value);
  }

  paint({ told, answer, windows }) {
    const contents = { outcome: answer, ...Object.fromEntries(windows.map((content, stage) => [`player ${stage}`, content])) };
    const was = this.painted?.identities.outcome ?? this.views.get("outcome").data.identity;
    if (was === answer.identity) return;
    // too much to be drawn: the run says so where the window is
    if (!windows.length) for (const name of this.views.keys()) if (name !== "outcome") delete contents[name];
    this.painted = { told: { ...told, ask: this.told.ask, offers: {} }, identities: {} };
    for (const [name, view] of this.views) {
      const content = contents[name];
      if (!view.element.isConnected) continue;
      if (content) this.painted.identities[name] = content.identity;
      else if (windows.length) view.element.style.visibility = "hidden"; // a stage that the layer no longer has
      if (!content) continue;
      view.element.style.visibility = "";
      const data = { ...view.data, ...content };
      // a pin belongs to a layer; another look at the same one keeps it
      if (content.animation && !(told.layer === this.told.layer && data.at < content.animation.frames.length)) data.at = null;
      view.draw(data);
    }
  }

  // ------------------------------------------------------------------ the run's word counts

  watch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.painted && !this.changes.length) return;
      const now = performance.now(), runs = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "running";
      for (const element of this.hands.keys()) if (!element.isConnected) this.hands.delete(element);
      if (runs) this.ran = true;
      if (runs || this.asking || [...this.hands.values()].some((busy) => busy())) this.touched = now;
      if (now - this.touched > (this.ran ? Ahead.REST : Ahead.PATIENCE)) this.settle();
      else this.watch();
    }, Ahead.LOOK);
  }

  settle() {
    this.forget();
    for (const { data, draw, element } of this.views.values()) {
      element.style.visibility = "";
      if (element.isConnected) draw(data);
    }
  }

  forget() {
    Object.assign(this, { painted: null, changes: [] });
    this.displayed.clear();
    this.ready.clear();
  }

  // ------------------------------------------------------------------ Streamlit's own controls

  listen() {
    if (this.listening) return;
    this.listening = true;
    for (const event of ["pointerdown", "pointerup", "click", "keydown", "keyup"]) document.addEventListener(event, (given) => this.met(given), true);
    for (const event of ["pointerover", "focusin"])
      document.addEventListener(
        event,
        (given) => {
          const [target] = given.composedPath();
          clearTimeout(this.pointing);
          this.pointing = setTimeout(() => this.works && this.nextOf(target).forEach((each) => this.prepare(...each)), Ahead.POINTING);
        },
        true,
      );
    document.addEventListener("input", (event) => this.typing(event), true);
    document.addEventListener("focusout", ({ target }) => this.entered(target), true);
    addEventListener("popstate", () => {
      this.journey += 1;
      this.settle();
    });
  }

  // What a hand on this part of a control may do next: [control, value] of each.
  nextOf(target) {
    const dial = target.closest?.(".dials[data-ahead] .dial");
    if (dial) {
      const { min, max, step, valueAsNumber: now } = dial.querySelector("[type=range]");
      return [now + Number(step), now - Number(step)].filter((value) => value >= min && value <= max).map((value) => [dial.dataset.key, value]);
    }
    const option = target.closest?.("[role=option]"), radio = target.closest?.("[role=radio]"), found = [];
    for (const { control, box, list, button, toggle } of this.controls()) {
      if (option && list?.getAttribute("aria-expanded") === "true") found.push([control, option.textContent]);
      else if (box.contains(target) && toggle) found.push([control, !toggle.checked]);
      else if (box.contains(target) && radio && radio !== button) found.push([control, radio.textContent]);
    }
    return found;
  }

  // What controls show is noted when a hand comes, and looked at again when Streamlit has heard of what it did.
  met({ type, key, target }) {
    if (!this.works) return;
    if (type === "keydown" && key === "Enter") this.entered(target);
    const offer = type === "click" && !this.painted && Object.entries(this.told.offers).find(([name]) => target.closest?.(`.st-key-${name} button`));
    if (offer) this.change(...offer[1]);
    if (type === "pointerdown" || type === "keydown") this.look(!this.looking);
    // an open list shows its choice late
    const listed = type === "keydown" && key === "Enter" ? document.getElementById(target.getAttribute?.("aria-activedescendant")) : type !== "pointerdown" && target.closest?.("[role=option]");
    if (listed) for (const { control, list } of this.controls()) if (list?.getAttribute("aria-expanded") === "true") this.wish(control, listed.textContent);
    clearTimeout(this.looking);
    this.looking = setTimeout(() => {
      this.looking = 0;
      this.look();
      // arrow keys walk through an open list
      const now = document.getElementById(target.getAttribute?.("aria-activedescendant"));
      if (now) this.nextOf(now).forEach((each) => this.prepare(...each));
    });
  }

  // Streamlit's controls of the layer that stand on the page.
  *controls() {
    for (const box of document.querySelectorAll(".st-key-settings [class*='st-key-layer-'], .st-key-seen-control")) {
      const [, own, view] = box.className.match(/st-key-(?:layer-(\w+)|(seen)-control)/) ?? [], control = own ?? view;
      if (control in this.base.controls) yield { control, box, list: box.querySelector("[role=combobox]"), button: box.querySelector("[role=radio][aria-checked=true]"), toggle: box.querySelector("[role=switch]") };
    }
  }

  look(note = false) {
    for (const { control, list, button, toggle } of this.controls()) {
      const value = list?.value ?? button?.textContent ?? toggle?.checked;
      if (value === undefined || list?.getAttribute("aria-expanded") === "true") continue;
      const moved = this.displayed.has(control) && this.displayed.get(control) === value ? false : !note;
      this.displayed.set(control, value);
      if (moved) this.wish(control, value);
    }
  }

  // A control shows a value: a change, unless the layer has it already or will have.
  wish(control, value) {
    const asked = this.changes.findLast(([other]) => other === control);
    if (value !== (asked ? asked[1] : this.base.controls[control])) this.change(control, value);
  }

  // A typed line is asked for while it is typed, so that Enter finds the answer there.
  typing({ target }) {
    if (!target.closest?.(".st-key-typed-layer")) return;
    this.line = target.value;
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.line?.trim() && this.prepare("typed", this.line.trim()), Ahead.TYPING);
  }

  entered(target) {
    if (!this.line?.trim() || !target.closest?.(".st-key-typed-layer")) return;
    this.change("typed", this.line.trim());
    this.line = null;
  }
}

document._ahead ??= new Ahead();

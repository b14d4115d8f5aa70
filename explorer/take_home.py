"""Code that reproduces what is on screen, with public packages and nothing of ours."""

from __future__ import annotations

from explorer.images import Photo
from explorer.models import ModelCard
from explorer.saliency import METHODS, SaliencySpec

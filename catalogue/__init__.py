"""Products, their readers, photos, settings and errors: the leaf every other package stands on."""

from catalogue.product import Product

__all__ = ["Product"]

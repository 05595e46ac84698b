"""Renders the demo shop: parametric products, eight suppliers, exact ground truth.

Run as ``python -m catalogue.demo.render``; needs the ``bpy`` wheel and Pillow.
"""

"""Making bundles: PyTorch modules to ONNX files. The only place besides training that imports torch or onnx."""

"""What a GPU gives; see `bench.gpu.__main__`."""

"""The kinds of files of the matrix, one module per format."""

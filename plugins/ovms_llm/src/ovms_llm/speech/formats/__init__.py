"""The families of models that speak alike, one file each."""

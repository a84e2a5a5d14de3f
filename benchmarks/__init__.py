"""The speed figures that the README quotes, as ratios in one run. `make bench` runs them all."""

"""Parts of vehicles: lofted bodies, wheels, cabins, cargo, and the patches that paint their surfaces."""

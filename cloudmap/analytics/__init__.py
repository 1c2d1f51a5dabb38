"""Facts become numbers: cubes, hotspots, rates. Arrays and frames only; no file, database or web."""

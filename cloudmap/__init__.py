"""cloudmap: a city's governance cloud map (治理雲圖), from report files to hotspots, offline."""

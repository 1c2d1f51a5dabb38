"""What leaves the system as files: layers, maps, figures and briefings; everything is read through `access.reader.Reader`."""

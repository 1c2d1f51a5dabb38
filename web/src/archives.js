// PMTiles archives: the map asks for tiles, the browser fetches the ranges of the file that hold them.
import { addProtocol } from "maplibre-gl";
import { Protocol } from "pmtiles";

const protocol = new Protocol();
addProtocol("pmtiles", protocol.tile);

/** The address of an archive of this server as a source of the map. */
export const archive = (path) => `pmtiles://${new URL(path, window.location.href)}`;

// PMTiles archives: the map asks for tiles, the browser fetches the ranges of the file that hold them.
import { addProtocol } from "maplibre-gl";
import { Protocol } from "pmtiles";

const ATTEMPTS = 3;
const protocol = new Protocol();

/**
 * Tiles share what they need of an archive's directories. Where the map gives one tile up, those that wait with it for a directory hear of an
 * end that is not theirs: they ask again.
 */
async function tile(request, controller) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await protocol.tile(request, controller);
    } catch (error) {
      // Only a name of the error's own outlives the way to the map's workers and back.
      if (controller.signal.aborted) throw Object.assign(new Error("given up"), { name: "AbortError" });
      if (error.name !== "AbortError" || attempt === ATTEMPTS) throw error;
    }
  }
}

addProtocol("pmtiles", tile);

/** The address of an archive of this server as a source of the map. */
export const archive = (path) => `pmtiles://${new URL(path, window.location.href)}`;

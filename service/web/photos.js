/** The photos searched with in this tab. They never enter the address, only a short name for each does. */

const photos = new Map();

/** Keep a photo and return its name. */
export function keep(file) {
  const name = Date.now().toString(36);
  photos.set(name, { file, url: URL.createObjectURL(file) });
  return name;
}

/** The photo of that name as { file, url }; undefined after a reload or in another tab. */
export const photoNamed = (name) => photos.get(name);

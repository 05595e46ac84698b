/**
 * The photos searched with in this tab. They never enter the address, only a short name for each does; the last few
 * are kept with the tab, so that a reload does not lose them.
 */

import { Problem } from "./api.js";

const LONGEST_SIDE = 1280; // more than any encoder looks at
const SENT_AS_IT_IS = 1_500_000; // bytes
const LARGEST = 200_000_000;
const KEPT = 4;
const PREFIX = "photo ";
const HEIC = /^(heic|heix|hevc|hevx|heim|heis|mif1|msf1)$/;

const photos = new Map();

/** The photo of that name as { file, url }; undefined in another tab. */
export const photoNamed = (name) => photos.get(name) ?? restored(name);

/** Keep a photo and return its name; a Problem says why it cannot be used. */
export async function keep(file) {
  const ready = await prepared(file);
  const name = Date.now().toString(36);
  photos.set(name, { file: ready, url: URL.createObjectURL(ready) });
  await remember(name, ready);
  return name;
}

/** Large photos are made smaller here: less to send, again for each change of the crop. */
async function prepared(file) {
  if (file.size === 0) throw new Problem("This file is empty. Choose another photo.", { status: 422 });
  if (file.size > LARGEST) throw new Problem("This photo is over 200 MB. Choose a smaller one.", { status: 413 });
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    if (await isHeic(file)) throw new Problem(HEIC_HELP, { status: 415 });
    return file; // the service reads more formats than browsers do, and says what it thinks of this one
  }
  const { width, height } = picture;
  const scale = LONGEST_SIDE / Math.max(width, height);
  try {
    if (scale >= 1 && file.size <= SENT_AS_IT_IS) return file;
    return await drawn(picture, Math.min(1, scale), file);
  } finally {
    picture.close();
  }
}

const HEIC_HELP =
  "This is a HEIC photo, which this browser cannot open. Save it as JPEG and choose that, or take a screenshot of it. " +
  "(iPhone: Settings › Camera › Formats › Most Compatible.)";

async function isHeic(file) {
  const start = new TextDecoder("latin1").decode(await file.slice(4, 12).arrayBuffer());
  return start.startsWith("ftyp") && HEIC.test(start.slice(4));
}

async function drawn(picture, scale, file) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // what is transparent would turn black in a JPEG
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
  return blob ? new File([blob], "photo.jpg", { type: "image/jpeg" }) : file;
}

/** Storage is small and may be forbidden; without it a reload asks for the photo again. */
async function remember(name, file) {
  if (file.size > SENT_AS_IT_IS) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  try {
    const names = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX)).sort();
    for (const old of names.slice(0, Math.max(0, names.length - KEPT + 1))) sessionStorage.removeItem(old);
    sessionStorage.setItem(PREFIX + name, `${file.type}\n${btoa(text)}`);
  } catch {
    // full, or not allowed
  }
}

function restored(name) {
  let stored = null;
  try {
    stored = sessionStorage.getItem(PREFIX + name);
  } catch {
    // not allowed
  }
  if (!name || !stored) return undefined;
  const [type, text] = stored.split("\n");
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const file = new File([bytes], "photo", { type });
  photos.set(name, { file, url: URL.createObjectURL(file) });
  return photos.get(name);
}

/** Who asks, as far as the service may know: a random key of this browser, and nothing where none can be kept. */

const KEY = "user_key";

/**
 * Tells one shopper from another, for experiments and for what events say; the service keeps only a hash of it.
 * Undefined where storage is not allowed: a key that changes with each visit would count one shopper many times.
 */
export function userKey() {
  try {
    const known = localStorage.getItem(KEY);
    if (known) return known;
    const made = newId();
    localStorage.setItem(KEY, made);
    return made;
  } catch {
    return undefined;
  }
}

/** A random UUID; `crypto.randomUUID` is there only in secure contexts. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [8, 12, 16, 20].reduceRight((text, at) => `${text.slice(0, at)}-${text.slice(at)}`, hex);
}

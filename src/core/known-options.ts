// Options by names that are none. Types keep TypeScript from them; in JavaScript they would be passed over in silence, and a lab whose
// `delay` should have been `delayUs` has a network without delay.

/** The names of T's options, all of them: an object, so that the compiler sees when one is missing. */
export type Known<T> = Readonly<Record<keyof T, true>>;

/** @throws TypeError for an option that `known` does not have: it says which there are */
export function refuseUnknown<T extends object>(what: string, options: T, known: Known<T>): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  throw new TypeError(`${what} has no option '${unknown}'; there are ${Object.keys(known).join(', ')}`);
}

// The turn of the event loop in which programs under test run: whatever a clock's step, a frame or a call has woken runs to its
// next sleep before virtual time goes on.

/**
 * Resolves when no microtask is left. Node empties the microtask queue, however long its chains are, before it comes to
 * immediates, so one immediate is enough; nothing in a simulation waits for anything slower.
 */
export function drain(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

// How a replay gets at turns of the event loop and at microtasks, where programs ran in the midst of an event.

/** Calls in a turn of the event loop, where no microtask is under way. */
export function inTurn(work: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        work();
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** Runs what nextTick and promises have waiting, as Node does between two callbacks, and as it was when programs ran inside of an event. */
export const runMicrotasks: () => void =
  (process as unknown as { _tickCallback?: () => void })._tickCallback ?? ((): void => undefined);

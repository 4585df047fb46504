// latest does work for the last of many wishes: some ms after it, one at a time. done
// gets the result unless there is a newer wish by then. Work that fails has none.
export function latest<T, R>(wait: number, work: (wish: T) => Promise<R>, done: (result: R, wish: T) => void): { (wish: T): void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let next: { wish: T } | undefined;
  let busy = false;
  let age = 0;
  const begin = async () => {
    timer = undefined;
    if (busy || !next) return;
    const { wish } = next;
    const mine = age;
    next = undefined;
    busy = true;
    try {
      const result = await work(wish);
      if (age === mine) done(result, wish);
    } catch {
      // the next wish tries again
    } finally {
      busy = false;
      if (next && timer === undefined) void begin();
    }
  };
  const ask = (wish: T) => {
    next = { wish };
    age++;
    clearTimeout(timer);
    timer = setTimeout(() => void begin(), wait);
  };
  const cancel = () => {
    next = undefined;
    age++;
    clearTimeout(timer);
    timer = undefined;
  };
  return Object.assign(ask, { cancel });
}

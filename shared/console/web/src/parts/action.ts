// What a button does at the API: once at a time, and what went wrong.
import { useRef, useState } from "preact/hooks";

export interface Action {
  fault?: Error;
  busy: boolean;
  // run does the work, unless the one before is not over yet.
  run: (work: () => Promise<void>) => void;
  clear: () => void;
}

export function useAction(): Action {
  const [fault, setFault] = useState<Error | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const working = useRef(false);
  const run = (work: () => Promise<void>) => {
    if (working.current) return;
    working.current = true;
    setBusy(true);
    setFault(undefined);
    work()
      .catch((error: Error) => setFault(error))
      .finally(() => {
        working.current = false;
        setBusy(false);
      });
  };
  return { fault, busy, run, clear: () => setFault(undefined) };
}

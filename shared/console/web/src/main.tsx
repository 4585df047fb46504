import { effect } from "@preact/signals";
import { render } from "preact";
import { Frame } from "./frame.tsx";
import { theme } from "./settings.ts";
import { begin, direction, tag } from "./words.ts";

effect(() => {
  document.documentElement.lang = tag.value;
  document.documentElement.dir = direction.value;
});
effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

await begin();
render(<Frame />, document.getElementById("page")!);

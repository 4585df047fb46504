import { number } from "../words.ts";

export interface Part {
  kind: "tokenised" | "rejected" | "waiting" | "left";
  text: string;
  count: number;
  link?: string;
}

// Bar shows the parts of a whole, with a list of figures below it. The list is what
// readers are told.
export function Bar({ parts }: { parts: Part[] }) {
  const whole = parts.reduce((sum, part) => sum + part.count, 0);
  let before = 0;
  return (
    <div class="bar">
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        {whole > 0 &&
          parts.map((part) => {
            const x = (before / whole) * 100;
            before += part.count;
            return <rect key={part.kind} data-part={part.kind} x={x} y="0" width={(part.count / whole) * 100} height="4" />;
          })}
      </svg>
      <ul>
        {parts.map((part) => (
          <li key={part.kind} data-part={part.kind}>
            <b>{number(part.count)}</b> {part.link ? <a href={part.link}>{part.text}</a> : part.text}
          </li>
        ))}
      </ul>
    </div>
  );
}

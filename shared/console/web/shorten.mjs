// The words of the catalogues under short names, in the built script and in the files of
// words: a name of words costs more than what it stands for. The sources keep the names.

const plural = /_(zero|one|two|few|many|other)$/;
const quoted = /(["'`])([a-z_]+(?:\.[a-z0-9_]+)+)\1/g;
// What stands in a script where a word is made of a code: `role.${role}`.
const template = /`([a-z_]+\.[^`$]*)\$\{/g;

// baseOf is the word that a key of a catalogue is a form of.
function baseOf(key, english) {
  const base = key.replace(plural, "");
  return `${base}_other` in english ? base : key;
}

// shortened takes a built script and the words of English, those of all pages and others.
// It returns the script with numbers instead of the words in it; packed, which makes the
// file of a language: the texts by number, and by name or form those of other words; and
// numbered, which makes one object of the others. A word that may be made of a code keeps
// its name.
export function shortened(script, english, further = {}) {
  const made = [...new Set([...script.matchAll(template)].map((match) => match[1]))];
  const isMade = (word) => made.some((start) => word.startsWith(start) && !word.slice(start.length).includes("."));
  const all = { ...english, ...further };
  const basesOf = (catalogue) => new Set(Object.keys(catalogue).map((key) => baseOf(key, all)));
  const used = [...new Set([...script.matchAll(quoted)].map((match) => match[2]))].filter((word) => !isMade(word));
  const ofAll = basesOf(english);
  const ofOthers = basesOf(further);
  const first = used.filter((word) => ofAll.has(word));
  const then = used.filter((word) => !ofAll.has(word) && ofOthers.has(word));
  const numbers = new Map([...first, ...then].map((word, at) => [word, at + 1])); // 0 would be no word
  const short = script.replace(quoted, (whole, _, word) => (numbers.has(word) ? ` ${numbers.get(word)} ` : whole));

  function numbered(catalogue) {
    const texts = {};
    for (const [key, text] of Object.entries(catalogue)) {
      const base = baseOf(key, all);
      texts[numbers.has(base) ? numbers.get(base) + key.slice(base.length) : key] = text;
    }
    return texts;
  }
  function packed(catalogue) {
    const others = numbered(catalogue);
    const texts = Array.from({ length: first.length + 1 }, (_, number) => others[number] ?? "");
    for (const number of texts.keys()) delete others[number];
    return [texts, others];
  }
  return { script: short, packed, numbered };
}

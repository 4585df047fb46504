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

// shortened takes a built script and the English catalogue. It returns the script with
// numbers instead of the words in it, and packed, which makes the file of a language: the
// texts by number, and by name or form those of other words. A word that may be made of
// a code keeps its name.
export function shortened(script, english) {
  const made = [...new Set([...script.matchAll(template)].map((match) => match[1]))];
  const isMade = (word) => made.some((start) => word.startsWith(start) && !word.slice(start.length).includes("."));
  const words = new Set(Object.keys(english).map((key) => baseOf(key, english)));
  const numbers = new Map();
  const short = script.replace(quoted, (whole, _, word) => {
    if (!words.has(word) || isMade(word)) return whole;
    if (!numbers.has(word)) numbers.set(word, numbers.size + 1); // 0 would be no word
    return ` ${numbers.get(word)} `;
  });

  function packed(catalogue) {
    const texts = Array(numbers.size + 1).fill("");
    const others = {};
    for (const [key, text] of Object.entries(catalogue)) {
      const base = baseOf(key, english);
      const number = numbers.get(base);
      if (number === undefined) others[key] = text;
      else if (base === key) texts[number] = text;
      else others[number + key.slice(base.length)] = text;
    }
    return [texts, others];
  }
  return { script: short, packed };
}

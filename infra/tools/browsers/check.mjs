// Finds what a script or a style sheet uses that the oldest browsers of the console lack,
// by MDN's data of what each browser has.
//
//   node check.mjs FILE.js.br FILE.css.br …   files as they are served
//
// A member is looked up by its name alone, because what it is a member of is not known: it
// is reported if every interface that has one of this name got it later, and is left out
// below if it is none of theirs. Members that share their name with older ones, such as
// Iterator.prototype.map, are left to the types of TypeScript.
import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import bcd from "@mdn/browser-compat-data" with { type: "json" };
import { parse } from "acorn";
import { fullAncestor } from "acorn-walk";
import * as css from "css-tree";

// Offices with Windows 7 and 8.1 end there.
const oldest = { chrome: 109, firefox: 115 };
const grammar = 2022; // the newest one that both have all of

// What is found in the console, and is none of theirs, or is asked for before it is used.
const fine = {
  own: ["actions", "address", "blocking", "displayName", "memory", "role", "when"],
  asked: ["Symbol.dispose", "dispose", "moveBefore"], // by Preact and its signals
};

// has reports whether the oldest browsers have a feature; undefined if that is not known.
function has(feature) {
  const support = feature?.__compat?.support;
  if (!support) return undefined;
  return Object.entries(oldest).every(([browser, version]) =>
    [support[browser]].flat().some((one) => {
      const since = Number.parseFloat(String(one?.version_added).replace("≤", ""));
      const until = one?.version_removed ? Number.parseFloat(String(one.version_removed).replace("≤", "")) : Infinity;
      return since <= version && until > version && !one.flags && !one.prefix && !one.alternative_name;
    }),
  );
}

// known adds to what is known of a name: it is there if one of its features is.
function known(names, name, feature) {
  const there = has(feature);
  if (there !== undefined) names.set(name, names.get(name) || there);
}

const children = (feature) => Object.entries(feature ?? {}).filter(([name]) => name !== "__compat");

const interfaces = { ...bcd.api, ...bcd.javascript.builtins };
const globals = new Map();
const members = new Map();
for (const [name, feature] of Object.entries(interfaces)) {
  known(globals, name, feature);
  // What a newer interface has is reached by a global or a member that is newer itself.
  if (has(feature) !== false) for (const [member, inner] of children(feature)) known(members, member, inner);
}
for (const global of ["Window", "WorkerGlobalScope"]) for (const [name, feature] of children(bcd.api[global])) known(globals, name, feature);
for (const [name] of children(bcd.html.global_attributes)) known(members, name, bcd.html.global_attributes[name]);

// What the attributes of an element are called in HTML.
const attribute = (element, name) => bcd.html.elements[element]?.[name] ?? bcd.html.global_attributes[name];

// inScript returns what a script uses that is not there.
export function inScript(text) {
  const found = new Set();
  let tree;
  try {
    tree = parse(text, { ecmaVersion: grammar, sourceType: "module" });
  } catch (error) {
    return [`syntax: ${error.message}`];
  }
  const member = (name, of) => {
    const own = of && (interfaces[of]?.[`${name}_static`] ?? (bcd.javascript.builtins[of] && interfaces[of]?.[name]));
    const there = has(own) ?? members.get(name);
    if (there === false) found.add(of && own ? `${of}.${name}` : name);
  };
  const nameOf = (key, computed) => (key.type === "Literal" ? String(key.value) : !computed && key.type === "Identifier" ? key.name : undefined);
  const declared = new Set();
  const used = new Set();
  fullAncestor(tree, (node, _, ancestors, kind) => {
    const parent = ancestors.at(-2);
    if (node.type === "MemberExpression") {
      const name = nameOf(node.property, node.computed);
      const of = node.object.type === "Identifier" ? node.object.name : undefined;
      if (name !== undefined) member(name, of);
    } else if (node.type === "ObjectPattern") {
      const from = parent?.type === "VariableDeclarator" && parent.init?.type === "Identifier" ? parent.init.name : undefined;
      for (const one of node.properties) {
        const name = one.key && nameOf(one.key, one.computed);
        if (name !== undefined) member(name, from);
      }
    } else if (node.type === "CallExpression") {
      const [first, second] = node.arguments;
      if (first?.type !== "Literal" || typeof first.value !== "string") return;
      if (second?.type === "ObjectExpression") {
        // An element of JSX: jsx("div", { popover: "auto" }).
        if (has(bcd.html.elements[first.value]) === false) found.add(`<${first.value}>`);
        for (const one of second.properties) {
          const name = one.key && nameOf(one.key, one.computed);
          if (name !== undefined && has(attribute(first.value, name.toLowerCase())) === false) found.add(`<${first.value} ${name}>`);
        }
      }
      const call = node.callee.type === "MemberExpression" ? nameOf(node.callee.property, node.callee.computed) : undefined;
      if (call === "setAttribute" && has(bcd.html.global_attributes[first.value]) === false) found.add(`attribute ${first.value}`);
      if (call === "createElement" && has(bcd.html.elements[first.value]) === false) found.add(`<${first.value}>`);
    } else if (kind === "VariablePattern") declared.add(node.name);
    else if (node.type === "Identifier") {
      const key = parent?.type === "Property" && parent.key === node && !parent.shorthand;
      const property = parent?.type === "MemberExpression" && parent.property === node && !parent.computed;
      if (!key && !property && globals.get(node.name) === false) used.add(node.name);
    } else if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") declared.add(node.id?.name);
  });
  for (const name of used) if (!declared.has(name)) found.add(name);
  return [...found].sort();
}

// Names of CSS at any depth: light-dark() is a type of colour, dvb a kind of length.
const functions = new Map();
const collect = (feature) => {
  for (const [name, inner] of children(feature)) {
    known(functions, name, inner);
    collect(inner);
  }
};
collect(bcd.css.types);

const units = new Map();
for (const [name, inner] of children(bcd.css.types.length)) known(units, name, inner);
for (const [size, letter] of [["dynamic", "d"], ["large", "l"], ["small", "s"]]) {
  for (const unit of ["vw", "vh", "vi", "vb", "vmin", "vmax"]) known(units, letter + unit, bcd.css.types.length[`viewport_percentage_units_${size}`]);
}
for (const unit of ["cqw", "cqh", "cqi", "cqb", "cqmin", "cqmax"]) known(units, unit, bcd.css.types.length.container_query_length_units);

// inStyle returns what a style sheet uses that is not there. What is asked for by
// @supports is left out.
export function inStyle(text) {
  const found = new Set();
  const look = (there, what) => {
    if (there === false) found.add(what);
  };
  const tree = css.parse(text, {
    parseCustomProperty: true,
    onParseError: (error) => found.add(`syntax: ${error.message}`),
  });
  let rules = 0;
  let asked = 0;
  css.walk(tree, {
    enter(node) {
      if (node.type === "Atrule" && node.name === "supports") asked++;
      if (node.type === "Rule") {
        if (rules++ > 0 && !asked) look(has(bcd.css.selectors.nesting), "nesting");
      }
      if (asked) return;
      const property = this.declaration?.property;
      switch (node.type) {
        case "Atrule":
          if (!node.name.startsWith("-")) look(has(bcd.css["at-rules"][node.name]), `@${node.name}`);
          break;
        case "Feature":
          look(has(bcd.css["at-rules"].media[node.name.replace(/^(min|max)-/, "")]), `@media (${node.name})`);
          break;
        case "PseudoClassSelector":
        case "PseudoElementSelector":
          look(has(bcd.css.selectors[node.name]), `:${node.name}`);
          break;
        case "NestingSelector":
          look(has(bcd.css.selectors.nesting), "nesting");
          break;
        case "Declaration":
          look(has(bcd.css.properties[node.property]), node.property);
          break;
        case "Function":
          look(has(bcd.css.properties[property]?.[node.name]) ?? functions.get(node.name), `${node.name}()`);
          break;
        case "Identifier":
          if (property && property !== "font-family") look(has(bcd.css.properties[property]?.[node.name]), `${property}: ${node.name}`);
          break;
        case "Dimension":
          look(units.get(node.unit.toLowerCase()), `unit ${node.unit}`);
          break;
      }
    },
    leave(node) {
      if (node.type === "Atrule" && node.name === "supports") asked--;
      if (node.type === "Rule") rules--;
    },
  });
  return [...found].sort();
}

if (import.meta.main) {
  const files = process.argv.slice(2);
  const kinds = { ".js.br": inScript, ".css.br": inStyle };
  for (const type of Object.keys(kinds)) {
    if (!files.some((file) => file.endsWith(type))) {
      console.error(`there is no file *${type} to look at: make console`);
      process.exitCode = 1;
    }
  }
  for (const file of files) {
    const look = kinds[/\.\w+\.br$/.exec(file)?.[0]];
    for (const one of look?.(brotliDecompressSync(readFileSync(file)).toString()) ?? []) {
      if (Object.values(fine).flat().includes(one)) continue;
      console.error(`${file}: Chrome ${oldest.chrome} or Firefox ${oldest.firefox} lacks ${one}`);
      process.exitCode = 1;
    }
  }
}

package layout_test

// rule says what the packages of a place may import besides the standard
// library and themselves.
//
// Paths are relative to the module. In them {name} matches one element,
// {name...} for one or more; a name of the vocabulary matches its words
// only. A name that occurs again in a path matches the last element of what it
// has matched there; one that place has matched means the same in imports. An
// import that begins with "!" is forbidden although another one allows it.
type rule struct {
	place   string
	imports []string
	modules bool // may import other modules
	tests   bool // the rule also holds for imports of its tests
	reason  string
}

// vocabulary is all that a new domain or kit has to be added to. Anything else
// directly below shared is an adapter.
var vocabulary = map[string][]string{
	"domain": {"seeding", "partnering"},
	"kit":    {"api", "dynamo", "function", "gateway", "outgoing"},
}

// rules are tried in their order: the first one whose place fits a package
// holds for it. A package that no rule fits has no place in the module.
var rules = []rule{
	{
		place:   "shared/{parent...}/{parent}test",
		imports: []string{"shared/{parent}", "shared/{domain}", "shared/{kit}", "shared/{kit}/{kit}test", "shared/dynamo/memory"},
		modules: true,
		reason:  "what tests share supports the package above it, and never ships",
	},

	// The domains.
	{
		place:  "shared/{domain}",
		reason: "a domain holds words, rules and interfaces, and knows no technology and no other domain",
	},
	{
		place:   "shared/{domain}/{room}",
		imports: []string{"shared/{domain}"},
		reason:  "a use case needs the words of its domain only; use cases meet in stored data, never in code",
	},

	// The kits, and the packages on them.
	{
		place:   "shared/{kit}",
		modules: true,
		reason:  "a kit serves every domain, so it knows none, and no other kit",
	},
	{
		place:   "shared/dynamo/{domain}db",
		imports: []string{"shared/dynamo", "shared/{domain}"},
		modules: true,
		reason:  "a store keeps the data of one domain in the tables of the kit",
	},
	{
		place:   "shared/dynamo/memory",
		modules: true,
		reason:  "DynamoDB in memory knows nothing but DynamoDB, and never ships",
	},
	{
		place:   "shared/api/openapi",
		imports: []string{"shared/api"},
		modules: true,
		reason:  "it checks requests by a document, whatever that describes",
	},
	{
		place:   "shared/api/{area}",
		imports: []string{"shared/api", "shared/api/openapi", "shared/{domain}", "shared/{domain}/setup"},
		modules: true,
		reason:  "an area of the API translates between HTTP and the setup of domains",
	},
	{
		place:   "shared/{kit}/{part}",
		imports: []string{"shared/{kit}"},
		modules: true,
		reason:  "a part of a kit knows no more than the kit",
	},

	// The adapters.
	{
		place:   "shared/callback",
		imports: []string{"shared/{domain}", "shared/{domain}/receive", "shared/api"},
		modules: true,
		reason:  "the callback translates between HTTP and the receiving of answers, as the API does",
	},
	{
		place:   "shared/console",
		imports: []string{"shared/{domain}", "shared/api"},
		modules: true,
		reason:  "the console serves a page and its session over HTTP, and knows of the domain only what a key is",
	},
	{
		place:   "shared/{adapter}",
		imports: []string{"shared/{domain}"},
		modules: true,
		reason:  "an adapter knows one technology and the words of a domain, and no other adapter",
	},
	{
		place:   "shared/{adapter}/{part}",
		imports: []string{"shared/{adapter}", "shared/{domain}"},
		modules: true,
		reason:  "a part of an adapter knows no more than the adapter",
	},

	// What is deployed.
	{
		place:   "functions/{function}",
		imports: []string{"shared/{any...}", "!shared/{parent...}/{parent}test", "!shared/dynamo/memory"},
		modules: true,
		reason:  "a function wires what is shared, and ships without other functions and without infra",
	},

	// The environment of development and tests.
	{
		place:  "infra/simulators/python",
		tests:  true,
		reason: "all simulators use it, so it uses none",
	},
	{
		place:   "infra/simulators/cmd/{name}",
		imports: []string{"infra/simulators/{simulator}"},
		tests:   true,
		reason:  "a program around a simulator knows no more than the simulator",
	},
	{
		place:   "infra/simulators/{path...}",
		imports: []string{"infra/simulators/python"},
		modules: true,
		tests:   true,
		reason:  "a simulator is written from the facts: code shared with a client would share its mistakes",
	},
	{
		place:   "infra/{path...}",
		imports: []string{"infra/{any...}", "shared/{any...}"},
		modules: true,
		reason:  "infra starts functions as they ship, and imports none",
	},
}

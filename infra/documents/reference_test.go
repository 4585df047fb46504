package documents_test

import (
	"cmp"
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// reference is a mention of a document, or of a heading or row of one.
type reference struct {
	line     int    // from 1
	text     string // as it is written there
	document string // path from the root of the repository; "" when none is named
	label    string // of a heading or row; "" for the document itself
	title    string // how the text of a heading begins
	anchor   string // of a link
}

// The forms of a reference:
//
//	facts/odoo.md A6              a heading, "infra/" may be left out before facts/
//	facts/mts.md 2.3, 2.4 and W12 several
//	protocol, "Submit" 7          a heading of infra/protocol.md, and an item of its list
//	infra/runbook.md, BatchesLost a heading that is a word
//	infra/decisions.md, "One world" a heading, after its date, or how it begins
//	[text](infra/states.md#run)   a link of a Markdown file, and [name]: infra/states.md
//	`infra/layout`                a path in a Markdown file; `infra/e2e soak` are two
var (
	documentName = regexp.MustCompile(`(?:[\w.-]+/)*[\w-]+\.md\b`)
	labels       = regexp.MustCompile("^`? +(" + numberedLabel + `|[A-Z]\b)((?:(?:,|,? +and| +to) +` + numberedLabel + `\b)*)`)
	oneLabel     = regexp.MustCompile(numberedLabel + `|[A-Z]\b`)
	wordLabel    = regexp.MustCompile("^`?, +([A-Z][a-z]+[A-Z]\\w+)")
	anchorName   = regexp.MustCompile(`^#([\w-]+)`)
	titleName    = regexp.MustCompile("^`?, +\"(\\pL[^\"]+)\"")
	ofProtocol   = regexp.MustCompile(`\bprotocol, +"([^"]+)"((?: +\d+\b)?(?:(?:,|,? +and|,? +to) +\d+\b)*)`)
	number       = regexp.MustCompile(`\d+`)
	bareRow      = regexp.MustCompile(`\b([A-Z])\d{1,2}(?:\.\d+)?\b`)
	markdownLink = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)(?:\s+(?:"[^"]*"|'[^']*'))?\)`)
	linkTarget   = regexp.MustCompile(`(?m)^ {0,3}\[[^\]]+\]: +(\S*[./#]\S*)`)
	quotedPath   = regexp.MustCompile("`((?:infra|shared|functions)/[^`\\s<>…*{]+)((?: [a-z]\\w*)*)`")
	ownSection   = regexp.MustCompile(`\bsections? +(\d+(?:\.\d+)*)((?:(?:,|,? +and| +to) +\d+(?:\.\d+)*)*)`)
	ownRule      = regexp.MustCompile(`\brule (\d+)\b`)
)

const (
	protocol = "infra/protocol.md"
	// bareLetters begin the rows of facts/mts.md and the headings of
	// facts/odoo.md. "W12" alone does not name its document, so
	// outside the facts it is an error.
	bareLetters = "ABCDW"
)

// references finds all of one file. name is its path from the root; own is the
// file itself as a document, for Markdown.
func references(name, text string, own document) []reference {
	f := finder{name: name, text: text}
	facts := strings.HasPrefix(name, "infra/facts/")
	if name == "Makefile" || name == ".ci/run" {
		f.named(joined(text, "#"), false)
	}
	switch path.Ext(name) {
	case ".go":
		f.named(joined(text, "//"), false)
		f.bare(joined(comments(text), "//"), bareLetters, "")
	case ".yaml", ".yml":
		f.named(joined(text, "#"), false)
		f.bare(joined(text, "#"), bareLetters, "")
	case ".md":
		prose := blankCodeBlocks(text)
		f.links(prose)
		prose = paragraphs(prose)
		f.paths(prose)
		f.named(prose, facts)
		if facts {
			f.bare(prose, own.rowLetters(), name)
			f.ownSections(prose)
			break
		}
		f.bare(prose, bareLetters, "")
		if name == protocol {
			f.ownItems(prose, own)
		}
	}
	slices.SortStableFunc(f.found, func(a, b reference) int { return cmp.Compare(a.line, b.line) })
	return f.found
}

type finder struct {
	name, text string
	found      []reference
	covered    [][2]int // what is part of a named reference, from and to
}

func (f *finder) add(from, to int, r reference) {
	r.line = 1 + strings.Count(f.text[:from], "\n")
	if r.text == "" {
		r.text = strings.Join(strings.Fields(f.text[from:to]), " ")
	}
	f.found = append(f.found, r)
	f.covered = append(f.covered, [2]int{from, to})
}

// named finds references that name their document. In the facts only those that
// begin with a folder count: they cite files of other projects.
func (f *finder) named(text string, onlyFolders bool) {
	for _, at := range documentName.FindAllStringIndex(text, -1) {
		written := text[at[0]:at[1]]
		if before := text[:at[0]]; strings.HasSuffix(before, "/") || strings.HasSuffix(before, "](") || strings.HasSuffix(before, "]: ") {
			continue // part of an address, or the target of a link
		}
		if onlyFolders && !strings.HasPrefix(written, "infra/") && !strings.HasPrefix(written, "facts/") {
			continue
		}
		document := written
		if strings.HasPrefix(written, "facts/") {
			document = "infra/" + written
		}
		rest := text[at[1]:]
		if m := anchorName.FindStringSubmatch(rest); m != nil {
			f.add(at[0], at[1]+len(m[0]), reference{document: document, anchor: m[1]})
			continue
		}
		if m := titleName.FindStringSubmatch(rest); m != nil {
			f.add(at[0], at[1]+len(m[0]), reference{document: document, title: strings.Join(strings.Fields(m[1]), " ")})
			continue
		}
		if m := wordLabel.FindStringSubmatch(rest); m != nil {
			f.add(at[0], at[1]+len(m[0]), reference{document: document, label: m[1]})
			continue
		}
		m := labels.FindStringSubmatch(rest)
		if m == nil {
			f.add(at[0], at[1], reference{document: document})
			continue
		}
		for _, label := range append([]string{m[1]}, oneLabel.FindAllString(m[2], -1)...) {
			f.add(at[0], at[1]+len(m[0]), reference{document: document, label: label, text: written + " " + label})
		}
	}
	for _, at := range ofProtocol.FindAllStringSubmatchIndex(text, -1) {
		section := strings.Join(strings.Fields(text[at[2]:at[3]]), " ")
		items := number.FindAllString(text[at[4]:at[5]], -1)
		if len(items) == 0 {
			f.add(at[0], at[1], reference{document: protocol, label: section})
		}
		for _, item := range items {
			f.add(at[0], at[1], reference{document: protocol, label: section + "." + item, text: `protocol, "` + section + `" ` + item})
		}
	}
}

// bare finds labels such as W12 without a document. They belong to the given
// document, or to none that is known.
func (f *finder) bare(text, letters, document string) {
	for _, at := range bareRow.FindAllStringSubmatchIndex(text, -1) {
		letter := text[at[2]:at[3]]
		inside := slices.ContainsFunc(f.covered, func(c [2]int) bool { return c[0] <= at[0] && at[0] < c[1] })
		before := at[0] > 0 && strings.ContainsRune(`/-.%"`, rune(text[at[0]-1])) // part of an address, a code or a text
		if inside || before || !strings.Contains(letters, letter) {
			continue
		}
		f.add(at[0], at[1], reference{document: document, label: text[at[0]:at[1]]})
	}
}

func (f *finder) links(text string) {
	for _, at := range slices.Concat(markdownLink.FindAllStringSubmatchIndex(text, -1), linkTarget.FindAllStringSubmatchIndex(text, -1)) {
		target := text[at[2]:at[3]]
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(target, "#")
		document := f.name
		if file != "" {
			document = path.Join(path.Dir(f.name), file)
		}
		f.add(at[0], at[1], reference{document: document, anchor: anchor})
	}
}

// paths finds files and folders in backquotes, with the names that follow one
// after a space and are beside it. A file may be a command, with arguments.
// A Go name after a folder is not looked up, as in `shared/seeding.Run`.
func (f *finder) paths(text string) {
	for _, at := range quotedPath.FindAllStringSubmatchIndex(text, -1) {
		first := text[at[2]:at[3]]
		if strings.HasSuffix(first, ".md") || strings.Contains(first, ".md#") {
			continue // see named
		}
		f.add(at[0], at[1], reference{document: withoutName(first)})
		for _, name := range strings.Fields(text[at[4]:at[5]]) {
			f.add(at[0], at[1], reference{document: path.Join(path.Dir(first), name)})
		}
	}
}

// withoutName is a path without the Go name after a folder.
func withoutName(written string) string {
	folder, base := path.Split(strings.TrimSuffix(written, "/"))
	name, declared, _ := strings.Cut(base, ".")
	if declared != "" && declared[0] >= 'A' && declared[0] <= 'Z' {
		base = name
	}
	return folder + base
}

// ownSections finds "section 9" in a facts file, which is one of its own.
func (f *finder) ownSections(text string) {
	for _, at := range ownSection.FindAllStringIndex(text, -1) {
		for _, label := range oneLabel.FindAllString(text[at[0]:at[1]], -1) {
			f.add(at[0], at[1], reference{document: f.name, label: label})
		}
	}
}

// ownItems finds "rule 7" in the protocol, an item of its own section,
// and "Submit 7", an item of that section.
func (f *finder) ownItems(text string, own document) {
	for _, at := range ownRule.FindAllStringSubmatchIndex(text, -1) {
		label := own.sectionAt(1 + strings.Count(f.text[:at[0]], "\n"))
		f.add(at[0], at[1], reference{document: f.name, label: label + "." + text[at[2]:at[3]]})
	}
	for _, s := range own.sections {
		item := regexp.MustCompile(`\b` + regexp.QuoteMeta(s.label) + ` (\d+)\b`)
		for _, at := range item.FindAllStringSubmatchIndex(text, -1) {
			f.add(at[0], at[1], reference{document: f.name, label: s.label + "." + text[at[2]:at[3]]})
		}
	}
}

// joined makes one line of a comment that goes on behind a line break and its
// mark, and keeps every offset.
func joined(text, mark string) string {
	line := regexp.MustCompile(`\n[ \t]*` + mark)
	return line.ReplaceAllStringFunc(text, spaces)
}

// paragraphs makes one line of every paragraph of a Markdown text, and keeps
// every offset.
func paragraphs(text string) string {
	return lineInside.ReplaceAllStringFunc(text, func(s string) string {
		return spaces(s[:len(s)-1]) + s[len(s)-1:]
	})
}

// lineInside is a line break within a paragraph, with the first character of
// what follows, which begins no item, row or heading.
var lineInside = regexp.MustCompile(`\n[ \t]*[^\s\d|#*+-]`)

func spaces(s string) string { return strings.Repeat(" ", len(s)) }

// comments blanks what is no comment of a Go file, and keeps every offset.
func comments(text string) string {
	blank := []byte(text)
	for i, b := range blank {
		if b != '\n' {
			blank[i] = ' '
		}
	}
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), func(token.Position, string) {}, scanner.ScanComments)
	for {
		switch pos, kind, literal := s.Scan(); kind {
		case token.EOF:
			return string(blank)
		case token.COMMENT:
			copy(blank[file.Offset(pos):], literal)
		}
	}
}

package documents_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// document is what can be referred to in one Markdown file.
type document struct {
	// labels are the headings and rows: "2.3" and "A6" for the headings
	// "### 2.3 Mapping" and "## A6. Outages", "W12" for a table row that begins
	// so, "Submit" for a heading without a number. An item of a numbered list
	// has the label of its section and its number: "A1.7", "Submit.7".
	labels map[string]bool
	// anchors are the headings as GitHub makes links of them.
	anchors map[string]bool
	// titles are the headings without the date before them.
	titles []string
	// sections are the labels of headings, by the line (from 1) they begin at.
	sections []section
}

type section struct {
	line  int
	label string
}

const numberedLabel = `[A-Z]?\d{1,3}[a-z]?(?:\.\d+)*`

var (
	headingLine   = regexp.MustCompile(`^#{1,6} +(.+?) *$`)
	headingDate   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2} +`)
	headingNumber = regexp.MustCompile(`^(` + numberedLabel + `|[A-Z])\.? `)
	listItem      = regexp.MustCompile(`^(\d+)\. `)
	rowLabel      = regexp.MustCompile(`^(?:\| *)?([A-Z]\d{1,3})(?: *\|| · )`)
	markup        = strings.NewReplacer("`", "", "*", "")
	notInAnchor   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// parse reads a Markdown file. A line in a code block is no heading.
func parse(text string) document {
	d := document{labels: map[string]bool{}, anchors: map[string]bool{}}
	current := ""
	number := 0
	for line := range strings.SplitSeq(blankCodeBlocks(text), "\n") {
		number++
		if m := headingLine.FindStringSubmatch(line); m != nil {
			heading := markup.Replace(m[1])
			d.addAnchor(heading)
			d.titles = append(d.titles, headingDate.ReplaceAllString(heading, ""))
			current = heading
			if n := headingNumber.FindStringSubmatch(heading); n != nil {
				current = n[1]
			}
			d.sections = append(d.sections, section{number, current})
			d.labels[current] = true
			for name := range strings.SplitSeq(current, ", ") { // one entry for several alarms
				d.labels[name] = true
			}
			continue
		}
		if m := listItem.FindStringSubmatch(line); m != nil {
			d.labels[current+"."+m[1]] = true
		}
		if m := rowLabel.FindStringSubmatch(line); m != nil {
			d.labels[m[1]] = true
		}
	}
	return d
}

// addAnchor makes an anchor as GitHub does; an equal one gets a number.
func (d document) addAnchor(heading string) {
	base := strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
	anchor := base
	for n := 1; d.anchors[anchor]; n++ {
		anchor = fmt.Sprintf("%s-%d", base, n)
	}
	d.anchors[anchor] = true
}

// sectionAt is the label of the heading above a line.
func (d document) sectionAt(line int) string {
	label := ""
	for _, s := range d.sections {
		if s.line <= line {
			label = s.label
		}
	}
	return label
}

// rowLetters are the letters with which labels such as W12 or A6 begin here.
func (d document) rowLetters() string {
	var letters []byte
	for label := range d.labels {
		if len(label) < 2 {
			continue
		}
		if _, err := strconv.Atoi(label[1:2]); err == nil && label[0] >= 'A' && label[0] <= 'Z' {
			letters = append(letters, label[0])
		}
	}
	slices.Sort(letters)
	return string(slices.Compact(letters))
}

// blankCodeBlocks empties the lines of fenced code blocks and keeps their length.
func blankCodeBlocks(text string) string {
	lines := strings.Split(text, "\n")
	inside := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence || inside {
			lines[i] = strings.Repeat(" ", len(line))
		}
		if fence {
			inside = !inside
		}
	}
	return strings.Join(lines, "\n")
}

package dynamo

import (
	"maps"
	"regexp"
	"strings"
)

// Change is one conditional write of an item, alone or in a transaction.
type Change struct {
	Key       Key
	Item      Item   // of a put: the attributes besides the key
	Update    string // of an update: the expression
	Condition string // under which the write is made; "" is none
	Values    Item   // of the expressions; unused ones are not sent
	// Names are the names of attributes that an expression could not hold, for
	// instance of ones made of an id, by what stands for them: {"#slot": "slot_a-1"}.
	Names map[string]string
}

// Conditions of every table.
const (
	Exists = "attribute_exists(#" + partitionName + ")"
	Absent = "attribute_not_exists(#" + partitionName + ")"
)

// Full is the item of a put, key included.
func (c Change) Full() Item {
	it := maps.Clone(c.Item)
	if it == nil {
		return c.Key.item()
	}
	maps.Copy(it, c.Key.item())
	return it
}

// condition is nil if there is none, as DynamoDB demands.
func (c Change) condition() *string {
	if c.Condition == "" {
		return nil
	}
	return &c.Condition
}

func (c Change) names() map[string]string {
	names := namesIn(c.Update, c.Condition)
	for alias := range names {
		if name, given := c.Names[alias]; given {
			names[alias] = name
		}
	}
	return names
}

// values are those that the expressions use, or nil: DynamoDB refuses unused
// values, and an empty map.
func (c Change) values() Item {
	var used Item
	for _, name := range valueName.FindAllString(c.Update+" "+c.Condition, -1) {
		if used == nil {
			used = Item{}
		}
		used[name] = c.Values[name]
	}
	return used
}

var (
	attributeName = regexp.MustCompile(`#\w+`)
	valueName     = regexp.MustCompile(`:\w+`)
)

// namesIn resolves every #name of the expressions to name.
func namesIn(expressions ...string) map[string]string {
	var names map[string]string
	for _, expression := range expressions {
		for _, alias := range attributeName.FindAllString(expression, -1) {
			if names == nil {
				names = map[string]string{}
			}
			names[alias] = strings.TrimPrefix(alias, "#")
		}
	}
	return names
}

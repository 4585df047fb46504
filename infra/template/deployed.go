package template

import (
	"fmt"
	"strconv"
)

// Deployed is what the template creates outside of subnets.
type Deployed struct {
	Count   map[string]int // of resources, by type
	Console map[string]int // of those beside that a client of the console brings
	Memory  map[string]int // of functions in MB, by the name of their resource
}

// Read returns what the expanded template creates.
func Read() (Deployed, error) {
	d := Deployed{Count: map[string]int{}, Console: map[string]int{}, Memory: map[string]int{}}
	s, err := expanded()
	if err != nil {
		return d, err
	}
	for name, r := range s.Resources {
		switch r.Condition {
		case "InVpc":
			continue
		case "HasConsoleClient":
			d.Console[r.Type]++
			continue
		}
		d.Count[r.Type]++
		if r.Type == "AWS::Lambda::Function" {
			if d.Memory[name], err = strconv.Atoi(text(r.Properties["MemorySize"])); err != nil {
				return d, fmt.Errorf("template.yaml: MemorySize of %s: %w", name, err)
			}
		}
	}
	return d, nil
}

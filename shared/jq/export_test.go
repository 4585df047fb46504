package jq

import "errors"

// Results are all results of an expression; failed if it ends with an error of jq,
// spent if its work is not allowed.
func Results(text string, in any) (all []any, failed, spent bool, err error) {
	p, err := compile(text)
	if err != nil {
		return nil, false, false, err
	}
	e := &evaluation{left: maxWork, patterns: p.patterns}
	err = e.query(p.query, nil, item{value: plain(in)}, func(x item) error {
		all = append(all, x.value)
		return nil
	})
	return all, err != nil && !errors.Is(err, errSpent), e.spent, nil
}

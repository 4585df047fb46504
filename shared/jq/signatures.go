package jq

import (
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// wantText are functions that fail if an argument is no text.
var wantText = []signature{{"strptime", 1}, {"strftime", 1}, {"startswith", 1}, {"endswith", 1}, {"split", 1}}

// defined are what functions of builtin.jq take that fail with anything else.
var defined = map[string]seeding.Types{
	"ascii": tNumber, "from_entries": tList | tObject | tSeen, "map": tList | tObject | tSeen, "map_values": tList | tObject | tSeen,
	"to_entries": tList | tObject | tSeen, "with_entries": tList | tObject | tSeen,
}

// types are what functions take, 0 where they do not look at their input, and
// what they give.
var types = map[string]struct{ takes, gives seeding.Types }{
	"error": {}, "empty": {},
	"range": {0, tNumber}, "infinite": {0, tNumber}, "nan": {0, tNumber}, "pow": {0, tNumber},
	"sub": {tText, tText}, "_match": {tText, tList}, "test": {tText, tBoolean}, "_captured": {tObject, tObject},
	"split": {tText, tList}, "_split": {tText, tList}, "explode": {tText, tList}, "implode": {tList, tText}, "join": {tList | tObject, tText},
	"setpath": {tAny, tAny}, "delpaths": {tAny, tAny},
	"type": {tAny, tText}, "isinfinite": {tAny, tBoolean}, "isnan": {tAny, tBoolean}, "isnormal": {tAny, tBoolean},
	"abs": {tNumber, tNumber}, "length": {tAny &^ tBoolean, tNumber}, "utf8bytelength": {tText, tNumber},
	"keys": {tList | tObject, tList}, "keys_unsorted": {tList | tObject, tList}, "has": {tNull | tList | tObject, tBoolean},
	"tostring": {tAny, tText}, "tojson": {tAny, tText}, "tonumber": {tNumber | tText, tNumber}, "toboolean": {tBoolean | tText, tBoolean},
	"ascii_downcase": {tText, tText}, "ascii_upcase": {tText, tText}, "trim": {tText, tText}, "ltrim": {tText, tText}, "rtrim": {tText, tText},
	"startswith": {tText, tBoolean}, "endswith": {tText, tBoolean},
	"ltrimstr": {tAny, tAny}, "rtrimstr": {tAny, tAny}, "trimstr": {tAny, tAny},
	"add": {tList | tObject, tAny}, "flatten": {tList | tObject, tList}, "reverse": {tNull | tText | tList, tText | tList},
	"contains": {tAny, tBoolean}, "indices": {tNull | tText | tList, tNull | tList},
	"index": {tNull | tText | tList, tNull | tNumber}, "rindex": {tNull | tText | tList, tNull | tNumber},
	"transpose": {tList, tList}, "toarray": {tAny, tList},
	"sort": {tList, tList}, "_sort_by": {tList, tList}, "_group_by": {tList, tList}, "unique": {tList, tList}, "_unique_by": {tList, tList},
	"min": {tList, tAny}, "_min_by": {tList, tAny}, "max": {tList, tAny}, "_max_by": {tList, tAny},
	"format": {tAny, tText}, "fromjson": {tText, tAny},
	"strptime": {tText, tList}, "strftime": {tNumber | tList, tText}, "gmtime": {tNumber, tList}, "mktime": {tList, tNumber},
	"floor": {tNumber, tNumber}, "ceil": {tNumber, tNumber}, "round": {tNumber, tNumber}, "trunc": {tNumber, tNumber}, "fabs": {tNumber, tNumber},
	"sqrt": {tNumber, tNumber}, "log": {tNumber, tNumber}, "log2": {tNumber, tNumber}, "log10": {tNumber, tNumber}, "exp": {tNumber, tNumber}, "exp2": {tNumber, tNumber},
}

// givenBy is what those functions give of which it follows from what they get.
func givenBy(name string, in seeding.Types) (gives seeding.Types, ok bool) {
	texts, lists := in&seeding.AnyText, in&seeding.AnyList
	switch name {
	case "tostring", "tojson":
		return formatted(strings.TrimPrefix(name, "to"), in), true
	case "join":
		if lists&tList != 0 || in&tObject != 0 {
			gives = tText
		}
		if lists&tRelation != 0 {
			gives |= seeding.Written
		}
		if lists&seeding.Empty != 0 {
			gives |= seeding.Blank
		}
		return gives, true
	case "implode":
		if gives, ok = givenBy("join", lists&^seeding.Pair); lists == seeding.Pair { // a name is no character
			return 0, true
		}
		return gives, ok
	case "mktime", "strftime": // numbers of records are no time
		if in&(types[name].takes|seeding.Empty) == 0 {
			return 0, true
		}
	case "add":
		if in&(tList|tObject) == 0 {
			if lists&seeding.Numbers != 0 {
				gives = tNumber
			}
			return gives | tNull, true
		}
	case "min", "_min_by", "max", "_max_by":
		return elements(lists) | tNull, true
	case "sort", "_sort_by", "unique", "_unique_by":
		return lists, true
	case "reverse":
		gives = wide(texts) | lists&^seeding.Pair
		if lists&seeding.Pair != 0 {
			gives |= tList
		}
		if in&tNull != 0 {
			gives |= seeding.Empty
		}
		return gives, true
	case "ascii_downcase", "ascii_upcase", "trim", "ltrim", "rtrim":
		return texts, true
	case "ltrimstr", "rtrimstr", "trimstr":
		return in, true
	}
	return 0, false
}

// formatted is what a format gives.
func formatted(format string, in seeding.Types) seeding.Types {
	switch format {
	case "csv", "tsv":
		if in&seeding.AnyList == 0 {
			return 0
		}
	case "text", "string", "json":
		if in&tRelation != 0 && in&^(tRelation|tFalsy) == 0 {
			return seeding.Written
		}
		if in != 0 && in&^seeding.AnyText == 0 && format != "json" {
			return in
		}
	}
	return tText
}

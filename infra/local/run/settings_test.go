package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	read := func(pairs ...string) (settings, error) {
		return readSettings(func(name string) string {
			if i := slices.Index(pairs, name); i >= 0 {
				return pairs[i+1]
			}
			return ""
		})
	}
	for _, c := range []struct {
		name  string
		given []string
		want  settings
	}{
		{"nothing", nil, settings{false, false, 2000, 0, 1, 1, "127.0.0.0/8", "", "127.0.0.1:8080"}},
		{"all", []string{"MTSC_ONCE", "1", "MTSC_REGISTRANTS", "50000", "MTSC_PACE", "real", "MTSC_WORKERS", "4", "MTSC_REPLICAS", "2", "MTSC_ALLOW", "10.0.0.0/8, ::1/128"},
			settings{true, false, 50000, 1, 4, 2, "127.0.0.0/8,10.0.0.0/8,::1/128", "", "127.0.0.1:8080"}},
		{"submissions of ODK", []string{"MTSC_SOURCE", "odk"}, settings{false, true, 2000, 0, 1, 1, "127.0.0.0/8", "", "127.0.0.1:8080"}},
		{"registrants of the registry", []string{"MTSC_SOURCE", "registry"}, settings{false, false, 2000, 0, 1, 1, "127.0.0.0/8", "", "127.0.0.1:8080"}},
		{"callbacks of this machine", []string{"MTSC_CALLBACK_BASE", "http://127.0.0.2:9000/"},
			settings{false, false, 2000, 0, 1, 1, "127.0.0.0/8", "http://127.0.0.2:9000", "127.0.0.2:9000"}},
		{"callbacks of another", []string{"MTSC_CALLBACK_BASE", "https://hooks.example.org/a"},
			settings{false, false, 2000, 0, 1, 1, "127.0.0.0/8", "https://hooks.example.org/a", "127.0.0.1:8080"}},
	} {
		if got, err := read(c.given...); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	for _, wrong := range [][2]string{
		{"ONCE", "yes"}, {"SOURCE", "ODK"}, {"REGISTRANTS", "0"}, {"REGISTRANTS", "2k"}, {"WORKERS", "0"}, {"WORKERS", "65"}, {"REPLICAS", "two"}, {"PACE", "fast"}, {"PACE", "-1"}, {"PACE", "NaN"},
		{"ALLOW", "10.0.0.1"}, {"CALLBACK_BASE", "here"}, {"CALLBACK_BASE", "ftp://here"},
	} {
		if _, err := read("MTSC_"+wrong[0], wrong[1]); err == nil || !strings.HasPrefix(err.Error(), wrong[0]+"="+wrong[1]+":") {
			t.Errorf("%s=%s: %v", wrong[0], wrong[1], err)
		}
	}
}

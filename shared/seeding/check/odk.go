package check

import (
	"context"
	"fmt"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Central is what a check asks of a form of ODK Central. No method writes; errors are
// *seeding.Fault.
type Central interface {
	// SingleSignOn asks, without signing in, whether nobody may sign in with a password;
	// known is false if that cannot be told.
	SingleSignOn(ctx context.Context) (on, known bool, err error)
	// SignIn signs in. apart is the fault of clocks that differ too much.
	SignIn(ctx context.Context) (apart *seeding.Fault, err error)
	// Look looks at the form, for what was received since a moment and for fields by
	// their paths; that of VIDs is "" if it is not known.
	Look(ctx context.Context, since time.Time, vid string, paths []string) (seeding.FormFound, error)
}

// Names of the lines of a connector of ODK, in their order.
const (
	odkReach  = "odk_reach"
	odkSignIn = "odk_sign_in"
	odkForm   = "odk_form"
	odkFields = "odk_fields"
	odkClock  = "odk_clock"

	registrants = "registrants" // the right to create them
)

var (
	noCentral   = why{"odk_not_reached", seeding.Description{Text: "Not tried, because ODK Central cannot be reached.", Remedy: "See the line above."}}
	noSession   = why{"odk_not_signed_in", seeding.Description{Text: "Not tried, because the account is not signed in at ODK Central.", Remedy: "See the line above."}}
	formNotRead = why{"form_not_read", seeding.Description{Text: "Not tried, because the form cannot be read.", Remedy: "See the line above."}}
)

// odk looks at the form, as far as each finding allows the next.
func (k *Checker) odk(ctx context.Context, r *report, c seeding.Connector, source seeding.PasswordSource, secrets map[string]string) {
	if c.ODK.BaseURL == "" {
		r.add(seeding.NoODK)
		r.add(notTried(noCentral, odkSignIn, odkForm, odkFields, odkClock)...)
		return
	}
	password := secrets[seeding.ODKPassword]
	var unread error
	if source == seeding.PasswordStored {
		password, unread = k.ODKPassword(ctx, c)
	}
	central, err := k.OpenODK(c, password)
	if err != nil {
		r.add(seeding.FormUnusable(err).Line(odkReach, "odk_odata_url"))
		r.add(notTried(noCentral, odkSignIn, odkForm, odkFields, odkClock)...)
		return
	}
	var alone bool
	err = limited(ctx, func(ctx context.Context) (err error) { alone, _, err = central.SingleSignOn(ctx); return err })
	r.add(reachLine(err))
	if err != nil {
		r.add(notTried(noCentral, odkSignIn, odkForm, odkFields, odkClock)...)
		return
	}
	var apart *seeding.Fault
	line, tried := source.ODKLine(unread)
	switch {
	case alone:
		line = odkLine(odkSignIn, &seeding.Fault{Kind: seeding.RefusedSignIn, Code: "SingleSignOn"}, "odk_base_url")
	case tried:
		err = limited(ctx, func(ctx context.Context) (err error) { apart, err = central.SignIn(ctx); return err })
		line = accountLine(err)
	}
	r.add(line)
	if line.Result != seeding.LineOK {
		r.add(notTried(noSession, odkForm, odkFields, odkClock)...)
		return
	}
	vid, paths := k.FormPaths(c)
	var found seeding.FormFound
	err = limited(ctx, func(ctx context.Context) (err error) {
		found, err = central.Look(ctx, c.ODK.Received, vid, paths)
		return err
	})
	r.add(formLine(found, err))
	if err != nil {
		r.add(notTried(formNotRead, odkFields)...)
	} else {
		r.add(formFieldsLine(found, paths))
	}
	r.add(clockLine(apart))
}

// odkLine is the line of what keeps a form from being read.
func odkLine(name string, f *seeding.Fault, field string) seeding.Line {
	return seeding.ODKProblem(f).Line(name, field)
}

func reachLine(err error) seeding.Line {
	if err != nil {
		return odkLine(odkReach, seeding.FaultOf(err), "odk_base_url")
	}
	return ok(odkReach, "reached", "An ODK Central answers at odk.base_url. Whether MTS reaches it too is seen with the first batch.", nil)
}

func accountLine(err error) seeding.Line {
	if err == nil {
		return ok(odkSignIn, "signed_in", "The account is signed in at ODK Central.", nil)
	}
	return seeding.ODKSignInLine(seeding.FaultOf(err))
}

func formLine(found seeding.FormFound, err error) seeding.Line {
	params := map[string]any{"submissions": found.Submissions}
	switch {
	case err != nil:
		f := seeding.FaultOf(err)
		field := "odk_odata_url"
		if f.Kind == seeding.RefusedRights {
			field = "odk_email"
		}
		return odkLine(odkForm, f, field)
	case !found.Open:
		return ok(odkForm, "closed", fmt.Sprintf("The form is found, and its submissions can be read: %d. It takes no new ones, because it is closed or closing.", found.Submissions), params)
	}
	return ok(odkForm, "readable", fmt.Sprintf("The form is found, and its submissions can be read: %d so far.", found.Submissions), params)
}

// formFieldsLine is about the fields that the mapping reads, as far as its expressions
// tell them.
func formFieldsLine(found seeding.FormFound, paths []string) seeding.Line {
	switch {
	case len(found.NoColumns) > 0:
		return missingLine("no_such_column", found.NoColumns, seeding.Description{
			Text:   "The form has no such fields, which $select of odk.odata_url names: " + list(found.NoColumns) + ". MTS would read no submissions.",
			Remedy: "Correct the names in $select, or leave it out. A field within a group is written with / there, such as person/vid.",
		}, "odk_odata_url")
	case found.Select != nil:
		return odkLine(odkFields, found.Select, "odk_odata_url")
	case found.VID != nil:
		return odkLine(odkFields, found.VID, "mapping/vid")
	case len(found.Missing) > 0:
		return missingLine("no_such_field", found.Missing, seeding.Description{
			Text:   "The form has no such fields, which the mapping reads: " + list(found.Missing) + ".",
			Remedy: "Correct the mapping. A field within a group is written with a dot, such as person.vid, in small and capital letters as the form has them.",
		}, "mapping")
	}
	return ok(odkFields, "known", "The form has all fields that the mapping reads: "+list(paths)+".", map[string]any{"fields": anyOf(paths)})
}

// missingLine is the line of fields that the form has not.
func missingLine(code string, fields []string, d seeding.Description, field string) seeding.Line {
	line := failed(odkFields, code, d, field)
	line.Params = map[string]any{"fields": anyOf(fields)}
	return line
}

// clockLine only warns: windows go by Central's clock.
func clockLine(apart *seeding.Fault) seeding.Line {
	if apart != nil {
		l := odkLine(odkClock, apart, "odk_base_url")
		l.Result = seeding.LineWarning
		return l
	}
	return ok(odkClock, "right", "The clocks of ODK Central and of the connector agree.", nil)
}

// rightsToRegistrants are those that a submission needs besides that to its identifiers.
var rightsToRegistrants = []seeding.Right{{Model: "res.partner", Operation: "create"}, {Model: "res.partner", Operation: "write"}}

func registrantsLine(may bool, err error) seeding.Line {
	switch {
	case err != nil:
		return seeding.RegistryLine(registrants, err, seeding.ProblemWrite, registryUser)
	case may:
		return ok(registrants, "allowed", "The user may create and change registrants.", nil)
	}
	return failed(registrants, denied, seeding.Description{
		Text:   "The user may not create or change registrants, so no submission would become one.",
		Remedy: "Give the user's group the rights to create and write registrants (res.partner) in the registry.",
	}, registryUser)
}

// noRegistrants: what an Output Format sets needs registrants first.
var noRegistrants = why{"no_registrants", seeding.Description{Text: "Not tried, because the user may not create or change registrants.", Remedy: "See the line above."}}

// odkLines are the lines of this file, for the document of the API.
func odkLines() (all []seeding.Line) {
	for _, w := range []why{noCentral, noSession, formNotRead} {
		all = append(all, notTried(w, odkSignIn, odkForm, odkFields, odkClock)...)
	}
	all = append(all, notTried(noRegistrants, write)...)
	all = append(all, reachLine(nil), accountLine(nil),
		formLine(seeding.FormFound{Submissions: 3100}, nil), formLine(seeding.FormFound{Submissions: 3100, Open: true}, nil),
		formFieldsLine(seeding.FormFound{NoColumns: []string{"vid"}}, nil), formFieldsLine(seeding.FormFound{Missing: []string{"vid"}}, nil), formFieldsLine(seeding.FormFound{}, []string{"vid"}),
		clockLine(nil), typesLine(true, nil), registrantsLine(true, nil), registrantsLine(false, nil))
	apart := clockLine(&seeding.Fault{Kind: seeding.RefusedRequest, Code: "ClockApart"})
	return append(all, apart)
}

package seeding

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// What this file lists is for the document of the API: every problem, line and reason
// that there is, with its code. What differs from one to the next stands in braces,
// with the name of the parameter.

// Raised is a problem as a source may have it.
type Raised struct {
	Source Source
	Description
}

// faultCodes are codes of faults that have a description of their own, and two that
// stand for all others.
func faultCodes() []string {
	codes := []string{
		"{fault}", "HTTP-{status}", "OperationalError", "SerializationFailure", "AnswerTooLarge", "BadAnswer",
		"NoSuchField", "FieldDenied", "NoSuchDomainField", "NoSuchOperator", Encrypted, StillEncrypted, NoSuchModel,
	}
	for _, table := range []map[string]texts{causes, mtsCauses, signInRefusals, answeredOtherwise} {
		codes = slices.AppendSeq(codes, maps.Keys(table))
	}
	codes = append(codes, valueRefusals...)
	slices.Sort(codes)
	return slices.Compact(codes)
}

// odkCodes are those of the faults of ODK Central, with some that stand for all others.
func odkCodes() []string {
	codes := []string{"{fault}", "HTTP-{status}", "ODK-{code}"}
	for _, table := range []map[string]texts{causes, odkCauses} {
		codes = slices.AppendSeq(codes, maps.Keys(table))
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// Problems are all problems of connectors, each once for a source.
func Problems() (all []Raised) {
	add := func(source Source, d Description) {
		known := slices.ContainsFunc(all, func(r Raised) bool { return r.Source == source && r.Code == d.Code })
		if !known {
			all = append(all, Raised{source, d})
		}
	}
	for _, code := range faultCodes() {
		braced := func(d Description) Description {
			in := strings.NewReplacer("("+code+")", "({fault})")
			d.Text, d.Remedy = in.Replace(d.Text), in.Replace(d.Remedy)
			return d
		}
		for kind := range RefusedRequest + 1 {
			fault := &Fault{Kind: kind, Code: code, Field: "{field}"}
			for _, op := range []Source{ProblemRead, ProblemWrite, ProblemUnlink} {
				source, d := RegistryProblem(fault, op)
				add(source, braced(d))
			}
			if kind != Unknown {
				add(ProblemMTS, braced(MTSProblem(fault)))
			}
		}
		_, d := RegistryProblem(&Fault{Kind: RefusedTypes, Code: code}, ProblemRead)
		add(ProblemTypes, braced(d))
		_, d = RegistryProblem(&Fault{Kind: RefusedRequest, Code: code}, ProblemRead)
		add(ProblemRead, braced(d))
		add(ProblemReply, braced(ReplyProblem(&Fault{Code: code}, false)))
	}
	add(ProblemReply, ReplyProblem(&Fault{Code: codeUnexpected}, true))
	for _, code := range odkCodes() {
		for _, kind := range []FaultKind{RefusedRequest, Unreachable} {
			d := ODKProblem(&Fault{Kind: kind, Code: code, Field: "{field}"})
			d.Text = strings.ReplaceAll(d.Text, "("+code+")", "({fault})")
			add(ProblemODK, d)
		}
	}
	for _, raised := range []Raised{
		{ProblemIdentity, saidByAny(IdentityRefused)},
		{ProblemIdentity, TokensMisshapen}, {ProblemIdentity, TokensMade}, {ProblemIdentity, TokensAlike},
		{ProblemTokens, TokensMisshapen}, {ProblemTokens, TokensMade}, {ProblemTokens, TokensAlike},
		{ProblemPolicy, TokensDiffer},
		{ProblemAlike, saidByAny(RefusedAlike)},
		{ProblemSetAside, AnswerUnprocessed},
		{ProblemAnswers, AnswersMissing},
		{ProblemDelivery, DeliveryFailed}, {ProblemDelivery, DeliveryFruitless},
		{ProblemArrival, NobodyArrived},
		{ProblemCallback, addressed(CallbackSilent("https://callback.example"))},
		{ProblemDied, counted(InvocationsDied(diedLimit))},
		{ProblemWrite, saidByAny(OutputUnusable(""))},
		{ProblemWrite, OutputRefused(&Fault{Code: "{fault}"})},
		{ProblemWrite, RegistrantsRefused(&Fault{Code: "{fault}"})},
		{ProblemConfig, KeysUnusable(nil).Description},
		{ProblemConfig, MappingUnusable(&MappingError{Field: "{field}", Text: "…"}).Description},
		{ProblemConfig, CallbackUnusable(nil).Description},
		{ProblemConfig, RegistryUnusable(ErrNotFound).Description},
		{ProblemConfig, RegistryUnusable(&AddressError{Reason: "…"}).Description},
		{ProblemConfig, RegistryUnusable(nil).Description},
		{ProblemConfig, FormUnusable(ErrNotFound).Description},
		{ProblemConfig, FormUnusable(nil).Description},
	} {
		add(raised.Source, raised.Description)
	}
	return all
}

// saidByAny is a description with any codes of MOSIP or MTS (SaidBy).
func saidByAny(d Description) Description {
	d.Text += " {fault}: what its codes mean is in x-rejection-codes."
	return d
}

func addressed(d Description) Description {
	in := strings.NewReplacer(d.Named.Address, "{address}")
	d.Text, d.Remedy = in.Replace(d.Text), in.Replace(d.Remedy)
	return d
}

func counted(d Description) Description {
	d.Text = strings.Replace(d.Text, strconv.Itoa(d.Named.Count), "{count}", 1)
	return d
}

// EndpointProblems are the descriptions of EndpointProblem.
func EndpointProblems() (all []Description) {
	for _, code := range faultCodes() {
		d := EndpointProblem(&Fault{Kind: Unreachable, Code: code})
		d.Text = strings.ReplaceAll(d.Text, "("+code+")", "({fault})")
		if !slices.ContainsFunc(all, func(other Description) bool { return other.Code == d.Code }) {
			all = append(all, d)
		}
	}
	return all
}

// Meaning is what a code of a row of an answer says.
type Meaning struct {
	Text string
	Of   string // the same if fields are known, which {fields} stands for; "" if there is no such text
}

// Meanings are all codes that ReasonOf knows, in their order.
func Meanings() iter.Seq2[string, Meaning] {
	return func(yield func(string, Meaning) bool) {
		for _, code := range slices.Sorted(maps.Keys(meanings)) {
			m := meanings[code]
			if !yield(code, Meaning{m.text, strings.Replace(m.of, "%s", "{fields}", 1)}) {
				return
			}
		}
	}
}

// Lines are those that checks and previews have in common.
func Lines() (all []Line) {
	for _, source := range []PasswordSource{PasswordOfOther, PasswordMissing} {
		line, _ := source.Line(nil)
		ofODK, _ := source.ODKLine(nil)
		all = append(all, line, ofODK)
	}
	return append(all, ConnectorGone, NoMTS, NoRegistry, NoODK)
}

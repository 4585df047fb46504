package seeding

import "time"

// registryProblem says which problem a failed call to the registry is. op is
// the source to blame for a refusal: reading, writing or removing.
func registryProblem(f *Fault, op Source) (source Source, text, remedy string) {
	switch f.Kind {
	case Unknown, Unreachable:
		return ProblemRegistry, "The registry cannot be reached, or does not answer in time.",
			"Check that the registry is up and that its address is within the allowed ranges of the deployment. Work goes on by itself once it answers."
	case RefusedSignIn:
		return ProblemSignIn, "The registry refuses the sign-in.",
			"Check database, user name and password of the registry in the connector's configuration, and that the user is active."
	case RefusedTypes:
		return ProblemTypes, "An identifier type of the configuration is not in the registry exactly once: " + f.Code + ".",
			"Name the identifier types in the configuration as the registry names them."
	}
	switch op {
	case ProblemUnlink:
		return op, "The registry refuses to remove VIDs (" + f.Code + ").",
			"Give the connector's user the right to delete registrant identifiers. Tokens are written all the same."
	case ProblemWrite:
		return op, "The registry refuses to create tokens, whoever they are for (" + f.Code + ").",
			"Give the connector's user the right to create registrant identifiers, and check the rules of the token's identifier type."
	default:
		return ProblemRead, "The registry refuses to let registrants be read (" + f.Code + ").",
			"Check the user's rights, and that domain and field list name fields which the registry has."
	}
}

// mtsProblem is the problem of an MTS that surely did not take a request.
func mtsProblem(f *Fault) (text, remedy string) {
	if f.Kind == Unreachable {
		return "MTS cannot be reached.",
			"Check that MTS is up and that its address is within the allowed ranges of the deployment."
	}
	return "MTS refuses our request (" + f.Code + ").",
		"Check that the address is that of an MTS of version 1.1 (develop), with its context path."
}

// outage is how long nobody tries a registry that could not be reached.
func outage(now time.Time, tries int, times Times) time.Time {
	return now.Add(backOff(times.ProbeFirst, times.ProbeMax/4, tries))
}

// unusable is a connector, or a deployment, that cannot be run as it is.
type unusable struct {
	text, remedy string
	cause        error
}

func (u *unusable) Error() string { return u.text }
func (u *unusable) Unwrap() error { return u.cause }

func keysUnusable(cause error) *unusable {
	return &unusable{"The keys of the deployment cannot be read.", "Check the key secrets of the deployment and the role's right to read them.", cause}
}

// registryUnusable is a registry that cannot even be opened: its password is
// not there, or what the configuration says of it cannot be read.
func registryUnusable(cause error) *unusable {
	if isNotFound(cause) {
		return &unusable{"The registry's password is not stored.", "Enter the password in the connector's configuration again.", cause}
	}
	return &unusable{"The registry cannot be opened as it is configured, or its password cannot be read.", "Save the connector's configuration anew, with the password.", cause}
}

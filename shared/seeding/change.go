package seeding

import "time"

// ChangeKind is what a person did to a connector.
type ChangeKind string

const (
	ChangeCreate  ChangeKind = "create"
	ChangeReplace ChangeKind = "replace"
	ChangeStart   ChangeKind = "start"
	ChangeStop    ChangeKind = "stop"
	ChangeDelete  ChangeKind = "delete"
	ChangeRetry   ChangeKind = "retry"  // of rejections
	ChangeImport  ChangeKind = "import" // an import was opened
	ChangeCancel  ChangeKind = "cancel" // a run was cancelled
)

// Change is one change of a connector by a person. The store writes it in the
// transaction that makes the change, so there is none without the other. It is kept
// for ever, also when the connector is deleted: it is the proof of who sent data
// where.
type Change struct {
	Connector string
	ID        string // unique; several changes of one moment are in the order of their ids
	At        time.Time
	Kind      ChangeKind
	Version   int // of the configuration after the change
	By        Person
	Fields    []FieldChange // of a create: the hosts; of a replace: all that differs
	Again     Group         // of a retry: of which rejections
	Count     int           // of a retry of some: how many they were; 0 is all of Again
	Run       string        // of an import or a cancelled run
}

// Person is who made a change, as the token of the request says.
type Person struct {
	Subject string // "" if the token names nobody
	Claim   string // of the token that holds it: "sub", or "client_id" where there is no sub
	Name    string // "" if the token has none
}

// FieldChange is a field that differs after a change. The values are JSON, and only
// there where they can neither be secret nor name a person: numbers, switches, words
// of a fixed list, and of an address its origin.
type FieldChange struct {
	Name          string // as in the API's document: "registry.url"
	Before, After string // JSON; "" is not shown
}

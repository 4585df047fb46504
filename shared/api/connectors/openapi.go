package connectors

import (
	_ "embed" // of the document
	"errors"
	"sync"

	"golang.org/x/net/idna"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/seeding"
)

//go:generate go run ../../../infra/openapi ../openapi.yaml openapi.json
//go:generate go run ../../../infra/openapi -fields openapi.json ../../..

//go:embed openapi.json
var document []byte

// Document is the document of the API, with the formats of its own.
var Document = sync.OnceValue(func() *openapi.Document {
	return openapi.NewDocument(document, openapi.Format{Name: "address", Check: checkAddress})
})

// checkAddress is the format of the base address of a server. A host that is not in
// ASCII is shown as punycode, so that nobody takes it for one that looks like it.
func checkAddress(text string) error {
	if err := openapi.CheckLine(text); err != nil {
		return err
	}
	_, err := seeding.ParseAddress(text)
	wrong, _ := errors.AsType[*seeding.AddressError](err)
	switch {
	case wrong == nil:
		return nil
	case wrong.Host == "":
		return &api.Flaw{Code: "address", Detail: wrong.Reason}
	}
	ascii, err := idna.Lookup.ToASCII(wrong.Host) // maps letters as browsers do
	if err != nil {
		ascii, err = idna.Punycode.ToASCII(wrong.Host)
	}
	if err != nil {
		return &api.Flaw{Code: "address_not_ascii", Detail: wrong.Reason}
	}
	return &api.Flaw{
		Code: "address_not_ascii", Params: api.Params{"punycode": ascii},
		Detail: wrong.Reason + "; in punycode it is " + ascii + ": write that if you mean it",
	}
}

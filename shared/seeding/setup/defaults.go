package setup

import (
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// Defaults fit each other and a fresh OpenG2P registry. With those of the Odoo
// module that we replace every record is invalid (facts/mts.md D11). For the
// domain see DefaultDomain.
func Defaults() seeding.Connector {
	return seeding.Connector{
		MTS:      seeding.MTSAccess{Language: "eng", BatchMaximum: 1000, WidthMaximum: seeding.DefaultWidth},
		Registry: seeding.RegistryAccess{VIDType: "MOSIP VID", TokenType: "MOSIP UIN TOKEN"},
		Source: seeding.RegistrySource{
			Fields: []string{"id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"},
			Mapping: seeding.Mapping{
				VID: "vid", Name: []string{"given_name", "family_name"}, Gender: "gender", DOB: "birthdate",
				PhoneNumber: "phone", EmailID: "email", FullAddress: []string{"address"},
			},
			Mandatory: []string{"name", "gender", "dob", "fullAddress"}, // as MTS itself is configured
		},
		Delivery: seeding.Delivery{TimeoutSeconds: 30},
		Schedule: seeding.Schedule{Interval: time.Hour},
		Output:   seeding.Output{RemoveVIDs: true, TokenShape: seeding.MOSIPTokens},
	}
}

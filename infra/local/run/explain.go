package main

import (
	"fmt"
	"io"
	"strings"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/world/deployed"
)

// explain prints how to use what is running.
func (d *demo) explain(out io.Writer) {
	id, secret := d.world.Issuer().Client()
	reach := "Its functions reach " + d.settings.ranges + " only: start with ALLOW=<ranges> for servers elsewhere"
	if d.settings.ranges != loopback {
		reach = "Its functions reach " + d.settings.ranges
	}
	back := "MTS calls back at " + d.world.APIURL() + ": start with CALLBACK_BASE=<address> if it cannot reach that"
	if d.settings.callbackBase != "" {
		back = "MTS calls back at " + d.settings.callbackBase
	}
	central, variables := "", ""
	if d.centralSimulator != nil {
		central = fmt.Sprintf("\n  demo ODK Central  %s (form %s; %s/%s may read it)", d.centralSimulator.Address, centralsim.DemoForm, centralsim.DemoUser, centralsim.DemoPassword)
		variables = "\n" + odkVariables(d.centralSimulator.Address)
	}
	fmt.Fprint(out, strings.NewReplacer(
		"{console}", d.world.ConsoleURL(), "{api}", d.world.APIURL(), "{token}", d.world.Token(), "{connector}", d.connector.ID,
		"{issuer}", d.world.Issuer().Address(), "{id}", id, "{secret}", secret,
		"{registry}", d.registrySimulator.Address, "{mts}", d.mtsSimulator.Address, "{reach}", reach, "{back}", back, "{central}", central, "{variables}", variables,
	).Replace(`It keeps running, with a tick every few seconds, until Ctrl-C.

  API               {api}/connectors
  demo registry     {registry} (database g2p, admin/admin)
  demo MTS          {mts}{central}

Look at the demo: how many batches are under way and may be, what came of each
run, how fast an open run is and when it should end, who is rejected (the token is
valid for an hour):

  TOKEN={token}
  curl -H "Authorization: Bearer $TOKEN" {api}/connectors/{connector}
  curl -H "Authorization: Bearer $TOKEN" {api}/connectors/{connector}/runs
  curl -H "Authorization: Bearer $TOKEN" {api}/connectors/{connector}/rejections

Another token, of an administrator or with another role (viewer, operator):

  TOKEN=$(curl -s -u {id}:{secret} -d grant_type=client_credentials -d role=administrator {issuer}/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

What infra/cookbook.md begins with, by which the API can be tried:

  export API={api} TOKEN_URL={issuer}/token CLIENT_ID={id} CLIENT_SECRET={secret}
  export MTS={mts} REGISTRY={registry} DATABASE=g2p REGISTRY_USER=admin REGISTRY_PASSWORD=admin{variables}

Create a connector for your own MTS and Odoo, and start it:

  curl -X POST {api}/connectors -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d '{
    "name": "Ours",
    "mts_url": "http://mts.example.org",
    "registry": {"url": "https://odoo.example.org", "database": "openg2p", "username": "mts", "password": "…"}
  }'
  curl -X POST -H "Authorization: Bearer $TOKEN" {api}/connectors/<id>/start

{reach}.
{back}.

  console   {console}   choose Operator

`))
}

// odkVariables is what the guide to a connector of ODK in README.md begins with, for the
// form of the demo.
func odkVariables(central string) string {
	return fmt.Sprintf("  export CENTRAL=%s FORM=%s ODK_USER=%s ODK_PASSWORD=%s",
		central, deployed.ODataURL(central, centralsim.DemoForm), centralsim.DemoUser, centralsim.DemoPassword)
}

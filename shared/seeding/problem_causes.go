package seeding

import "strings"

// server is one that a connector calls, in the words of a description.
type server struct{ code, name, subject, address string }

var (
	registryServer = server{"registry", "the registry", "The registry", "registry.url"}
	mtsServer      = server{"mts", "MTS", "MTS", "mts_url"}
	// tokenServer is called by MTS, and by us in a check only.
	tokenServer = server{"token_endpoint", "the server where MTS signs in", "The server where MTS signs in", "callback.auth_url"}
)

// EndpointProblem describes why a check gets no reply where MTS signs in for a direct
// callback.
func EndpointProblem(f *Fault) Description {
	d, known := tokenServer.describe(f.Code)
	if !known {
		d = describe("endpoint_unreachable", "The server where MTS signs in cannot be reached.", "Check callback.auth_url, and that the server is up.")
	}
	d.Remedy += " It is MTS that calls it, from a network of its own: if MTS reaches it, nothing is wrong."
	return d
}

// describe returns the description of a code of our clients, if it has one of its
// own.
func (s server) describe(code string) (Description, bool) {
	said, known := causes[code]
	words := strings.NewReplacer("{Server}", s.subject, "{server}", s.name, "{address}", s.address)
	return texts{words.Replace(said.text), words.Replace(said.remedy)}.of(code), known
}

// causes are why a call got no reply of the server that it was for, by the code of
// the HTTP client or of an adapter.
var causes = map[string]texts{
	// Not called.
	"AddressNotAllowed": {
		"{Server} is not called: the deployment does not allow the address that {address} leads to.",
		"Correct {address}, or add the address to the deployment's parameter AllowedRanges. Once it is set, only the ranges in it are called: add 0.0.0.0/0 for public addresses. Private addresses are called only if it lists them, those of the connector's own machine never.",
	},
	"HostNotAllowed": {
		"{Server} is not called: the deployment does not allow the host of {address}.",
		"Correct {address}, or add the host to the deployment's parameter AllowedHosts.",
	},
	"PlainHTTP": {
		"{Server} is not called: {address} begins with http://, so everybody on the way could read the data.",
		"Write {address} with https://. Plain http is for addresses in the deployment's AllowedRanges only, public ones in a range of /16 or narrower (IPv6: /32).",
	},
	"BadAddress": {
		"{Server} is not called: {address} is in a form that programs read in different ways.",
		"Save the connector with {address} in the form https://server.example.org/path.",
	},
	// No connection.
	"HostUnknown": {
		"The host of {address} is unknown: no name server has it.",
		"Check the spelling of {address}. A name that only a private network knows needs functions in that network (SubnetIds).",
	},
	"HostNotResolved": {
		"The name servers do not answer for the host of {address}.",
		"Check the name servers of the functions' network (SubnetIds). Work goes on by itself once they answer.",
	},
	"ConnectionRefused": {
		"{Server} cannot be reached: nothing takes connections at the port of {address}.",
		"Check that {server} is up, and the port in {address}.",
	},
	"NetworkUnreachable": {
		"{Server} cannot be reached: no route leads to it.",
		"Check the routes of the functions' subnets (SubnetIds). Public addresses need a NAT gateway there.",
	},
	"ConnectionFailed": {
		"{Server} cannot be reached: the connection ends before it is ready.",
		"Check that {server} is up, and the port in {address}. Work goes on by itself once it answers.",
	},
	// No TLS.
	"CertificateUnknown": {
		"The certificate of {server} is of an authority that is not trusted, or signed by {server} itself.",
		"Put the certificate of the authority, or the self-signed one, into the deployment's parameter CertificateAuthorities. If the authority is a public one, {server} must send its intermediate certificates too.",
	},
	"CertificateExpired": {
		"The certificate of {server} has expired, or is not valid yet.",
		"Renew the certificate of {server}. Work goes on by itself then.",
	},
	"CertificateName": {
		"The certificate of {server} is for another name than the host of {address}.",
		"Write {address} with a name that is in the certificate, or give {server} a certificate for this host.",
	},
	"CertificateRefused": {
		"The certificate of {server} cannot be used: it is not one for servers, or something is wrong in its chain.",
		"Check the certificate of {server} and of its authorities with \"openssl s_client\".",
	},
	"NotTLS": {
		"{Server} does not speak TLS at the port of {address}, which begins with https://.",
		"Write the port of {address} at which {server} speaks https. Plain http:// is for addresses in the deployment's AllowedRanges only.",
	},
	"TLSVersion": {
		"{Server} offers TLS in versions before 1.2 only, which are not safe.",
		"Allow TLS 1.2 or 1.3 at {server}, or at the proxy before it.",
	},
	"ClientCertificate": {
		"{Server} wants a certificate of the client, and the connector has none.",
		"Let the functions through without a certificate of the client, at {server} or at the proxy before it, for instance by their network address.",
	},
	"TLSFailed": {
		"{Server} ends the TLS handshake.",
		"Allow TLS 1.2 or 1.3 with usual cipher suites at {server}, and do not ask for a certificate of the client.",
	},
	// No reply, or one of something else.
	"Timeout": {
		"{Server} does not answer in time.",
		"Check that {server} is up and not overloaded, and that firewalls and security groups let the functions through: packets that are dropped look like this.",
	},
	"ConnectionLost": {
		"{Server} ends the connection without a reply, or within one.",
		"Look into the logs of {server} and of the proxies before it: a restart, a limit of time or of the size of a request.",
	},
	"NotHTTP": {
		"What answers at {address} does not speak HTTP.",
		"Check the port in {address}. If it is one for https, write https://.",
	},
	"BadAnswer": {
		"What answers at {address} is not {server}: its reply is, for instance, a page for people.",
		"Open {address} in a browser within the functions' network: a login page, a firewall or a proxy may stand before {server}. Check the path.",
	},
	"HTTP-500": {
		"{Server} fails with an error of its own (HTTP-500).",
		"Look into the log of {server}. Work goes on by itself once it answers.",
	},
	"HTTP-502": gateway("HTTP-502"),
	"HTTP-503": gateway("HTTP-503"),
	"HTTP-504": gateway("HTTP-504"),
}

func gateway(code string) texts {
	return texts{
		"A proxy answers instead of {server} (" + code + "): {server} is down, in maintenance, or too slow for the proxy.",
		"Check that {server} is up behind its proxy or load balancer. Work goes on by itself once it answers.",
	}
}

// mtsCauses are replies in the place of MTS that tell what is wrong.
var mtsCauses = map[string]texts{
	"AnswerTooLarge": {
		"What answers at mts_url is not MTS: its reply is far too large.",
		"Check mts_url, and what stands before MTS.",
	},
	"HTTP-301": moved("HTTP-301"), "HTTP-302": moved("HTTP-302"), "HTTP-303": moved("HTTP-303"),
	"HTTP-307": moved("HTTP-307"), "HTTP-308": moved("HTTP-308"),
	"HTTP-401": {
		"A proxy before MTS asks for a user and a password (HTTP-401), which MTS itself never does.",
		"Let the functions through without a password, for instance by their network address.",
	},
	"HTTP-403": {
		"A proxy or firewall before MTS refuses our request (HTTP-403).",
		"Let the functions through: POST below /authtoken, with JSON of up to 1 MB.",
	},
	"HTTP-404": {
		"There is no MTS at the path of mts_url (HTTP-404).",
		"Check the context path in mts_url: Helm publishes MTS below /mosiptokenseeder.",
	},
	"HTTP-405": {
		"What answers at mts_url takes no requests, as a web site does (HTTP-405).",
		"Check host, port and path of mts_url: Helm publishes MTS below /mosiptokenseeder.",
	},
	"HTTP-407": {
		"A proxy before MTS asks for a password of its own (HTTP-407), and the connector has none.",
		"Let the functions through without a password, for instance by their network address.",
	},
	"HTTP-408": {
		"A proxy before MTS did not wait until our request was there (HTTP-408).",
		"Raise the time limit of the proxy for requests, or lower batch_maximum of the connector. Work goes on by itself.",
	},
	"HTTP-429": {
		"A proxy before MTS allows fewer requests than the connector makes (HTTP-429).",
		"Raise the limit for the functions, or lower width_maximum of the connector. Work goes on by itself, more slowly.",
	},
	"HTTP-413": {
		"A proxy before MTS takes no request of this size (HTTP-413).",
		"Raise the limit of the proxy to 1 MB, or lower batch_maximum of the connector.",
	},
}

// anotherServer is a status that MTS itself does not give.
func anotherServer(code string) Description {
	return texts{
		"A web server or proxy answers in place of MTS (" + code + ").",
		"Check that MTS is up, that mts_url is its address and path, and that what stands before it lets POST and GET below /authtoken pass.",
	}.of(code)
}

func moved(code string) texts {
	return texts{
		"What answers at mts_url sends us to another address (" + code + "), and redirects are not followed.",
		"Write the address to which it leads as mts_url; open it in a browser to see it. Often it is https instead of http, or a login page.",
	}
}

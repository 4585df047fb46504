package function

// Stack is the name of a deployment. template.yaml names secrets and functions after
// it, and a function that needs them makes their names from it: the variables of a
// function may have 4 KB together, and most of that is left to the parameters.
type Stack string

// CapabilityKey is the name of the secret with the key of capabilities.
func (s Stack) CapabilityKey() string { return string(s) + "/keys/capability" }

// RowKey is the name of the secret with the key of correlation keys.
func (s Stack) RowKey() string { return string(s) + "/keys/rows" }

// FingerprintKey is the name of the secret with the key of fingerprints.
func (s Stack) FingerprintKey() string { return string(s) + "/keys/fingerprints" }

// ConnectorSecrets is what the names of the secrets of connectors begin with.
func (s Stack) ConnectorSecrets() string { return string(s) + "/connectors/" }

// InquirySecrets is what the names of the secrets of inquiries begin with.
func (s Stack) InquirySecrets() string { return string(s) + "/inquiries/" }

// Submit is the name of the function submit.
func (s Stack) Submit() string { return string(s) + "-submit" }

// Patch is the name of the function patch.
func (s Stack) Patch() string { return string(s) + "-patch" }

package connectors

import "slices"

// RoutesOf are the routes that New serves, "GET /path".
func RoutesOf(o Options) (list []string) {
	for path, methods := range (&service{o}).routes() {
		for method := range methods {
			list = append(list, method+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

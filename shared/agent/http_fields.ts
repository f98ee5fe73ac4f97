// Names of HTTP fields that clients, proxies and frameworks send of their own accord: none of them may set a variable, by accident or by stealth.

/** The IANA registry's (https://www.iana.org/assignments/http-fields), and the credentials and forwarding headers that are in use beside it. */
const FIELDS = new Set(
  `a-im accept age agent-reinitialize allow alpn alt-svc alt-used api-key api-token apikey apply-to-redirect-ref auth-token
  authentication-control authentication-info authorization available-dictionary baggage c-ext c-man c-opt c-pep cache-control cache-status
  caldav-timezones capsule-protocol cdn-cache-control cdn-loop cert-not-after cert-not-before cf-access-jwt-assertion cf-connecting-ip
  cf-connecting-ipv6 cf-ipcountry cf-ray cf-visitor cf-worker clear-site-data client-cert client-cert-chain client-ip close concealed-auth-export
  connection content-base content-digest content-disposition content-encoding content-id content-language content-length content-location
  content-md5 content-range content-script-type content-security-policy content-security-policy-report-only content-style-type content-type
  content-version cookie cookie2 correlation-id cross-origin-embedder-policy cross-origin-embedder-policy-report-only cross-origin-opener-policy
  cross-origin-opener-policy-report-only cross-origin-resource-policy dasl date dav default-style delta-base deprecation depth derived-from
  destination dictionary-id differential-id digest dnt document-policy dpop dpop-nonce early-data ediint-features etag expect expect-ct expires
  ext fastly-client-ip fly-client-ip forwarded from front-end-https getprofile hobareg host http2-settings idempotency-key if if-match
  if-modified-since if-none-match if-range if-schedule-tag-match if-unmodified-since im include-referred-token-binding-id isolation keep-alive
  label last-event-id last-modified link link-template location lock-token man max-forwards memento-datetime meter method-check
  method-check-expires mime-version negotiate nel odata-entityid odata-isolation odata-maxversion odata-version opt optional-www-authenticate
  ordering-type origin origin-agent-cluster oscore oslc-core-version overwrite p3p pep pep-info permissions-policy pics-label ping-from ping-to
  position pragma prefer preference-applied priority profileobject protocol protocol-info protocol-query protocol-request public public-key-pins
  public-key-pins-report-only range redirect-ref referer referer-root referrer-policy refresh remote-addr remote-user repeatability-client-id
  repeatability-first-sent repeatability-request-id repeatability-result replay-nonce reporting-endpoints repr-digest request-id retry-after safe
  save-data schedule-reply schedule-tag security-scheme server server-timing set-cookie set-cookie2 setprofile signature signature-input slug
  soapaction status-uri strict-transport-security sunset surrogate-capability surrogate-control tcn te timeout timing-allow-origin topic
  traceparent tracestate trailer transfer-encoding true-client-ip ttl unencoded-digest upgrade upgrade-insecure-requests urgency uri
  use-as-dictionary user-agent variant-vary vary via want-content-digest want-digest want-repr-digest want-unencoded-digest warning
  www-authenticate x-api-key x-auth-token x-client-ip x-cluster-client-ip x-content-type-options x-correlation-id x-csrf-token
  x-device-user-agent x-dns-prefetch-control x-frame-options x-http-method x-http-method-override x-method-override x-real-ip x-request-id
  x-request-start x-requested-with x-robots-tag x-trace-id x-wap-profile x-xss-protection xsrf-token`.split(/\s+/),
);

/** Families of which new ones appear now and then. */
const FAMILIES = [
  'accept-', 'access-control-', 'proxy-', 'sec-', 'x-amz-', 'x-amzn-', 'x-appengine-', 'x-arr-', 'x-azure-', 'x-b3-', 'x-cloud-trace-',
  'x-envoy-', 'x-forwarded', 'x-goog-', 'x-google-', 'x-ms-', 'x-original-', 'x-originating-', 'x-permitted-', 'x-proxy-', 'x-rewrite-',
  'x-vercel-',
];

/** Whether a field of this name, in lower case with dashes, means something by itself. */
export function isHttpField(name: string): boolean {
  return FIELDS.has(name) || FAMILIES.some((family) => name.startsWith(family));
}

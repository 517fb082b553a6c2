/** Version 1 of the SDK's types want this type of the DOM's, which Node's types have under another name only. */
type HeadersInit = ConstructorParameters<typeof Headers>[0]

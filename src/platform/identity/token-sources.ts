/** Who a token must come from and be for, as its claims `iss` and `aud` say. */
export interface TokenParties {
  issuer: string;
  audience: string;
}

/** The parties of tokens that tillbox signs itself, unless others are configured. */
export const ownParties: TokenParties = { issuer: 'tillbox', audience: 'tillbox' };

/** Tokens signed with a secret that whoever issues and whoever checks them share. */
export interface SecretSource extends TokenParties {
  secret: string;
}

/** Tokens signed by an identity provider that publishes its keys. */
export interface JwksSource extends TokenParties {
  jwksUrl: string;
}

/** Where tokens may come from. */
export interface TokenSources {
  secret?: SecretSource | undefined;
  jwks?: JwksSource | undefined;
}

/** A secret below the length of the hash can be guessed from one token (RFC 7518, 3.2). */
export const secretBytesMin = 32;

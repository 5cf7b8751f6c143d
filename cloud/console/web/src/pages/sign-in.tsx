/** Before anybody is signed in: which operator, then the issuer's own page. */
import { useState } from "preact/hooks";
import { goToSignIn, rememberedTenant } from "../session.ts";
import { useSpeech } from "../words/words.ts";

export function SignInPage({ refused }: { readonly refused: string | undefined }) {
  const { say } = useSpeech();
  const [tenant, setTenant] = useState(rememberedTenant());
  return (
    <form
      class="card sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        void goToSignIn(tenant.trim());
      }}
    >
      <h2>{say("signIn")}</h2>
      <label for="operator">{say("operator")}</label>
      <input
        id="operator"
        required
        pattern="[a-z0-9][a-z0-9\-]{0,39}"
        autocomplete="organization"
        aria-describedby="operator-hint"
        value={tenant}
        onInput={(event) => setTenant(event.currentTarget.value)}
      />
      <p class="hint" id="operator-hint">
        {say("operatorHint")}
      </p>
      <button type="submit" class="primary">
        {say("signIn")}
      </button>
      <p class="hint">{say("signInWhy")}</p>
      {refused !== undefined && (
        <p class="error" role="alert">
          {say("refused")} {refused}
        </p>
      )}
    </form>
  );
}

import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';

/**
 * The completion script of each shell. It calls `vsmmu complete`, which knows the commands, so the scripts are the same
 * for every version. A line `:file` or `:folder` in the output makes the shell complete file names itself.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  // Bash also splits words at `:` and `=`, which URIs and --option=value contain. So the words are read from the line
  // itself, and everything up to the last such character is removed from the candidates.
  bash: `# bash completion for vsmmu: eval "$(vsmmu completion bash)"
_vsmmu() {
  local line=\${COMP_LINE:0:COMP_POINT} words current answer IFS=$' \\t\\n'
  read -a words <<<"$line"
  case $line in *[[:space:]]) words+=('') ;; esac
  current=\${words[\${#words[@]}-1]}
  COMPREPLY=()
  while IFS= read -r answer; do
    answer=\${answer%%$'\\t'*}
    case $answer in
      :file) compopt -o filenames; while IFS= read -r answer; do COMPREPLY+=("$answer"); done < <(compgen -f -- "$current") ;;
      :folder) compopt -o filenames; while IFS= read -r answer; do COMPREPLY+=("$answer"); done < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("$(printf %q "\${answer#"\${current%"\${current##*[:=]}"}"}")") ;;
    esac
  done < <(vsmmu complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _vsmmu vsmmu
`,
  zsh: `#compdef vsmmu
# zsh completion for vsmmu: eval "$(vsmmu completion zsh)", or this text as _vsmmu in a folder of $fpath
_vsmmu() {
  local answer
  local -a values lines
  for answer in "\${(@f)$(vsmmu complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $answer in
      '') ;;
      :file) _files ;;
      :folder) _files -/ ;;
      *) values+=("\${answer%%$'\\t'*}") lines+=("\${answer/$'\\t'/  }") ;;
    esac
  done
  (( $#values == 0 )) || compadd -l -d lines -a values
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _vsmmu "$@"; else compdef _vsmmu vsmmu; fi
`,
  fish: `# fish completion for vsmmu: vsmmu completion fish | source
function __vsmmu_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (vsmmu complete -- $words[2..-1] 2>/dev/null)
        switch $line
            case :file
                __fish_complete_path (commandline -ct)
            case :folder
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c vsmmu -f -a '(__vsmmu_complete)'
`,
};

/** The shells that `vsmmu completion` knows. */
export const SHELLS: readonly string[] = Object.keys(SCRIPTS);

/** Returns the completion script for a shell. @throws InputError `usage` for an unknown shell */
export function completionScript(shell: string): string {
  const script = SCRIPTS[shell];
  if (script !== undefined) return script;
  throw new InputError(usage.unknown({ what: 'completion for', name: shell, hint: `give ${SHELLS.join(', ')}` }));
}

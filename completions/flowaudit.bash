# bash completion for flowaudit                            -*- shell-script -*-
# SPDX-License-Identifier: Apache-2.0

_flowaudit()
{
	local cur prev command i
	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD-1]}
	command=
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		check|watch|report|diff|merge|waive|verify|carve|explain|learn|lint|matrix)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	if [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'check watch report diff merge waive verify carve explain learn lint matrix --help --version' -- "$cur")
		return
	fi
	case $prev in
	--format)
		local formats='text csv json ndjson html xlsx'
		[[ $command == diff ]] && formats='text json'
		[[ $command == matrix ]] && formats='text tsv json'
		[[ $command == explain ]] && formats='text json'
		mapfile -t COMPREPLY < <(compgen -W "$formats" -- "$cur")
		return
		;;
	--table)
		mapfile -t COMPREPLY < <(compgen -W 'findings conversations expectations requirements inputs losses discards hosts flows rows counters runs seals removals evidence sensors witnesses' -- "$cur")
		return
		;;
	--flows)
		mapfile -t COMPREPLY < <(compgen -W 'violations all' -- "$cur")
		return
		;;
	--fail-on)
		mapfile -t COMPREPLY < <(compgen -W 'no-row wrong-port wrong-protocol wrong-direction wrong-role option-off unknown-host missing misdropped separated site' -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		local options='--help'
		case $command in
		check) options='-s --site -o --output -f --filter -r --read -n -j --workers --flows --fail-on --window --memory --tcp-idle --udp-idle --no-digest -q --quiet --stats -v --verbose --help' ;;
		watch) options='-s --site -o --output -f --filter -i --interface -j --workers -q --quiet --tcp-idle --udp-idle --memory --window --rotate --keep --max-size --new-file --evidence --ring --snaplen --no-promiscuous --user --ndjson --syslog --journal --on-finding --alerts --metrics --top --help' ;;
		report) options='--earlier --format --table --run -o --out -v --verbose --help' ;;
		diff) options='--format --old-run --new-run -v --verbose --help' ;;
		merge) options='-o --output -q --quiet --help' ;;
		waive) options='--owner --reason --until --id --run --help' ;;
		carve) options='--out --from --run -q --quiet --help' ;;
		verify) options='--inputs --seal -q --quiet --help' ;;
		explain) options='-s --site --protocol --client-port --both --format --help' ;;
		learn) options='-m --matrix -f --filter -r --read -j --workers --help' ;;
		lint) options='-s --site --help' ;;
		matrix) options='-s --site --format --help' ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _flowaudit flowaudit

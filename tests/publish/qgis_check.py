"""Print what QGIS itself shows of a GeoPackage: which style it loads by default, and the colour, rule and label of every feature.

Run by the Python that QGIS is installed for, which need not be ours: ``QT_QPA_PLATFORM=offscreen python3 qgis_check.py FILE LAYER``.
"""

import json
import sys

from qgis.core import QgsApplication, QgsExpressionContext, QgsExpressionContextUtils, QgsRenderContext, QgsVectorLayer


def shown(path: str, name: str) -> dict:
    """Tell how QGIS draws each feature of a layer with the style that the file brings."""
    layer = QgsVectorLayer(f"{path}|layername={name}", name, "ogr")
    renderer, places, context = layer.renderer(), {}, QgsRenderContext()
    expressions = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    expressions.setFields(layer.fields())
    context.setExpressionContext(expressions)
    renderer.startRender(context, layer.fields())
    for feature in layer.getFeatures():
        expressions.setFeature(feature)
        context.setExpressionContext(expressions)
        symbols = renderer.symbolsForFeature(feature, context)
        rules = [renderer.rootRule().findRuleByKey(key) for key in renderer.legendKeysForFeature(feature, context)]
        places[feature["place"]] = [
            [symbol.symbolLayer(0).fillColor().name() if symbol.type() == 2 else symbol.color().name() for symbol in symbols],
            [rule.label() for rule in rules if rule is not None and rule.label()],
        ]
    renderer.stopRender(context)
    return {
        "valid": layer.isValid(),
        "features": layer.featureCount(),
        "crs": layer.crs().authid(),
        "renderer": renderer.type(),
        "legend": [rule.label() for rule in renderer.rootRule().children()] if renderer.type() == "RuleRenderer" else [],
        "aliases": {field.name(): field.alias() for field in layer.fields()},
        "places": places,
    }


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    told = shown(*sys.argv[1:3])
    print(json.dumps(told))
    application.exitQgis()
